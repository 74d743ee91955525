# Drops what a remember.sh that failed or was killed may have left: only its own record, identified by its marker, with
# the owner recorded in it. An older record stays.
#
# takes: record_name record_mark owner_line

record=/var/lib/stockade/prior/$record_name owner_file=/var/lib/stockade/owner/$record_name
rm -f "$record.new" "$owner_file.new"
line=
if [ -f "$record" ]; then read -r line <"$record" || :; fi
if [ "$line" = "$record_mark" ]; then
    rm -f "$record" "/run/stockade/fresh.$record_name"
    if [ -f "$owner_file" ] && read -r line <"$owner_file" && [ "$line" = "$owner_line" ]; then rm -f "$owner_file"; fi
fi
rmdir /var/lib/stockade/prior /var/lib/stockade/owner /var/lib/stockade 2>/dev/null || :

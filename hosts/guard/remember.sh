# Prints the record of a prior state. If there is none, records what record_observe prints now. With owner_line, also
# records the owner of the resource.
#
# If the change that recorded it rolls back, its record is removed (hosts/guard/arm.sh, `fresh`), and the next create
# starts over. What is no regular file, or larger than any record, is not read: somebody damaged it.
#
# uses: hosts/guard/owned.sh
# takes: record_name record_observe record_mark owner_line

record=/var/lib/stockade/prior/$record_name
damaged=
if [ -e "$record" ] && { [ ! -f "$record" ] || [ "$(stat -Lc %s "$record")" -gt 50331648 ]; }; then # three Limit.RULES
    damaged=yes
elif [ ! -s "$record" ]; then # an empty record is the result of a power failure
    place /var/lib/stockade/prior "$record.new"
    ( # it may exit
        NONCE=$record_mark recording=yes
        printf '%s\n' "$NONCE"
        eval "$record_observe"
    ) >"$record.new"
    printf '\n%s Z\n' "$record_mark" >>"$record.new"
    if [ -d /run/stockade ]; then
        printf '%s\n' "$record" "$owner_file" >"/run/stockade/fresh.$record_name"
    fi
    sync "$record.new" 2>/dev/null || :
    mv "$record.new" "$record"
fi
if [ -n "$owner_line" ]; then record_claim; fi
if [ -z "$damaged" ]; then section record cat "$record"; else section record echo damaged; fi

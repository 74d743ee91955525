# Drops the record of a resource, and the directories once they are empty.
# takes: record_name

rm -f "/var/lib/stockade/prior/$record_name" "/var/lib/stockade/owner/$record_name"
rmdir /var/lib/stockade/prior /var/lib/stockade/owner /var/lib/stockade 2>/dev/null || :

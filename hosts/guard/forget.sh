# Drops the record of a resource, and the directories once they are empty.
# takes: record_name

# a killed run may have left what it was writing, and somebody a directory
rm -rf "/var/lib/stockade/prior/$record_name" "/var/lib/stockade/prior/$record_name.new" \
    "/var/lib/stockade/owner/$record_name" "/var/lib/stockade/owner/$record_name.new"
rmdir /var/lib/stockade/prior /var/lib/stockade/owner /var/lib/stockade 2>/dev/null || :

# Records the owner, and the prior state as the Pulumi state has it, after somebody removed the record.
# uses: hosts/guard/owned.sh
# takes: record_name record_facts

record=/var/lib/stockade/prior/$record_name
if [ ! -s "$record" ]; then
    place /var/lib/stockade/prior "$record.new"
    printf '%s\n' "$record_facts" >"$record.new"
    mv "$record.new" "$record"
fi
record_claim

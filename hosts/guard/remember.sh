# Prints the record of a prior state, which it makes where there is none: what record_observe prints now. With owner_line,
# it also records who manages the resource.
#
# A change that goes back to what was recorded just now leaves no record (hosts/guard/arm.sh, `fresh`): the next create
# begins anew.
#
# uses: hosts/guard/owned.sh
# takes: record_name record_observe record_mark owner_line

record=/var/lib/stockade/prior/$record_name
if [ ! -s "$record" ]; then # an empty one tells of nothing: the power failed
    place /var/lib/stockade/prior "$record.new"
    ( # which may exit
        NONCE=$record_mark
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
section record cat "$record"

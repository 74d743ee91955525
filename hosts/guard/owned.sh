# Exits with 76 if the record of a resource names another owner than the one that was read. The run that read it holds
# the host by now, but another run may have changed the record in between.
#
# record_claim    makes $owner_line the owner
#
# uses: hosts/guard/place.sh
# takes: record_name owner_expected owner_line

record_claim() {
    place /var/lib/stockade/owner "$owner_file.new"
    printf '%s\n' "$owner_line" >"$owner_file.new"
    [ ! -d "$owner_file" ] || rm -rf "$owner_file"
    mv "$owner_file.new" "$owner_file"
}
owner_file=/var/lib/stockade/owner/$record_name
found=
if [ -f "$owner_file" ]; then read -r found <"$owner_file" || :; fi
case $found in '{"claim": "'*'"}') ;; *) found= ;; esac # a truncated line names nobody
if [ "$found" != "$owner_expected" ]; then
    echo "$owner_file is not as it was read" >&2
    exit 76 # CHANGED
fi

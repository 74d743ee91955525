# sets_back    restores the contents of the sets, and removes those that were created
# uses: components/firewall/sets/parts.sh components/firewall/boot/places.sh
# takes: guard occasion ip_family

sets_back() {
    for _file in "$guard"/set.*; do
        if [ "$occasion" = boot ] || [ ! -f "$_file" ]; then continue; fi
        _set=${_file#"$guard"/set.}
        _is_filled "$_set" || _set_back "$_set" "$_file"
    done
    # shellcheck disable=SC2013 # words
    for _set in $(cat "$guard/sets_made" 2>/dev/null); do
        [ "$occasion" = boot ] || ipset destroy "$_set" 2>/dev/null || :
    done
    # shellcheck disable=SC2013 # words
    for _set in $(cat "$guard/sets_marked" 2>/dev/null); do rm -f "$boots/$ip_family.sets/$_set"; done
    rmdir "$boots/$ip_family.sets" 2>/dev/null || :
}

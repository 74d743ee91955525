# own_sets             records the prior state of the declared sets
# disown_sets NAME...  restores them to it
# uses: components/firewall/sets/parts.sh components/firewall/boot/places.sh
# takes: set_names ip_family guard

own_sets() {
    [ -n "$set_names" ] || return 0
    mkdir -p "$boots/$ip_family.sets"
    for _set in $set_names; do
        _mark=$boots/$ip_family.sets/$_set
        if [ -e "$_mark" ]; then continue; fi
        if ! _is_filled "$_set" && [ -f "$guard/set.$_set" ]; then
            cp "$guard/set.$_set" "$_mark"
        else echo found >"$_mark"; fi
    done
}
disown_sets() {
    for _set in "$@"; do
        _mark=$boots/$ip_family.sets/$_set
        [ -e "$_mark" ] || continue
        if [ ! -s "$_mark" ]; then
            ipset destroy "$_set" || echo "the set $_set stays: rules of other programs use it" >&2
        elif [ "$(cat "$_mark")" != found ]; then _set_back "$_set" "$_mark" || :; fi
        rm -f "$_mark"
    done
    rmdir "$boots/$ip_family.sets" 2>/dev/null || :
}

# Sets are created before the rules that refer to them.
#
# make_sets     creates the new ones at once, because iptables-restore --test needs them
# change_sets   changes the others, once the rollback is armed
#
# Our sets are recorded under $boots/FAMILY.sets: one file each, empty if we created the set, else with its prior
# content. Exits: 82 (SET_TAKEN), 83 (NO_SETS), 84 (BAD_SET).
# uses: components/firewall/sets/parts.sh components/firewall/boot/places.sh
# takes: set_names ip_family guard

sets_made='' sets_marked='' sets_next='' set_marks=$boots/$ip_family.sets
drop_new_sets() { # those left by a change that failed
    for _pair in $sets_next; do ipset destroy "${_pair%%=*}" 2>/dev/null || :; done
    for _set in $sets_made; do ipset destroy "$_set" 2>/dev/null || :; done
    for _set in $sets_marked; do rm -f "$set_marks/$_set"; done
    ! rmdir "$set_marks" 2>/dev/null || rmdir "$boots" /var/lib/stockade 2>/dev/null || :
}
make_sets() {
    [ -n "$set_names" ] || return 0
    command -v ipset >/dev/null || exit 83
    trap drop_new_sets EXIT
    _number=0
    for _set in $set_names; do
        _number=$((_number + 1))
        _next=stockade.$$.$_number
        ipset destroy "$_next" 2>/dev/null || :
        sets_next="$sets_next $_next=$_set"
        _set_lines "$_set" "$_next" | ipset restore || {
            echo "refused: the set $_set" >&2
            exit 84
        }
        if ! ipset save "$_set" >/dev/null 2>&1; then
            if [ ! -e "$set_marks/$_set" ]; then
                mkdir -p "$set_marks"
                : >"$set_marks/$_set"
                sets_marked="$sets_marked $_set"
            fi
            sets_made="$sets_made $_set"
            ipset rename "$_next" "$_set"
        elif [ "$(_set_kind "$_next")" != "$(_set_kind "$_set")" ]; then
            ! _set_used "$_set" || {
                echo "it is $_set: $(_set_kind "$_set")" >&2
                exit 82
            }
        elif _is_filled "$_set" || [ "$(_set_entries "$_next")" = "$(_set_entries "$_set")" ]; then
            ipset destroy "$_next"
        fi
    done
}
change_sets() {
    [ -n "$set_names" ] || return 0
    printf '%s\n' "$sets_made" >>"$guard/sets_made"
    printf '%s\n' "$sets_marked" >>"$guard/sets_marked"
    sets_made='' sets_marked=''
    for _pair in $sets_next; do
        ! ipset save "${_pair%%=*}" >/dev/null 2>&1 || _set_into "${_pair%%=*}" "${_pair#*=}"
    done
}

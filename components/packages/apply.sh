# Installs what is declared present and removes what is declared absent, in one transaction. Packages removed for
# something that is no longer declared are reinstalled.
#
# Exits: 71 a service that was running before does not start (UNSTARTED), 76 no such package on this system (NAMELESS).
#
# uses: components/packages/meaning.sh components/packages/transaction/records.sh
# uses: components/packages/transaction/etc.sh components/packages/transaction/give_back.sh
# uses: components/packages/transaction/transaction.sh hosts/system/distro.sh hosts/packages/manager.sh
# takes: folder present absent
# shellcheck disable=SC2086,SC2046,SC2116,SC2005 # lists of names are words

known_distro
real_names $present
[ -z "$nameless" ] || {
    why_nameless $nameless
    exit 76
}
wanted=$named
real_names $absent
asked=$named
if [ -n "$asked" ] && [ "$pkg_manager" = apt ] && ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
    _apt update || : # needed to resolve names
fi
_open_records
pkg_gone=$(_names removed)
meanings=$(pkg_means $(_missing $wanted) $asked)
present=$(_to_install $wanted)
printf '%s\n' "$meanings" >>"$folder/meant" # including packages that are already gone
sort -u "$folder/meant" >"$folder/meant.now"
_keep_lines meant.now "$asked" >"$folder/meant"
rm -f "$folder/meant.now"
absent="$(_without "$asked" "$(sed -n 's/ .* for$//p' "$folder/meant")") $(_others "$asked" '' <"$folder/meant")"
absent=$(_without "$absent" "$present")
found=$(_there $present $absent)
for _name in $(_without "$present $absent" "$(_names before)"); do
    _state=there
    _has "$_name" "$found" || _state=missing
    _note before "$_name $_state"
done
declared="$present $absent"
back=
if [ -f "$folder/removed" ]; then
    back=$(while read -r _name _version _mark _why; do
        _why=$(echo "$_why" | tr , ' ')
        _has "$_name" "$absent" || [ -n "$(_common "$_why" "$declared")" ] || printf ' %s' "$_name"
    done <"$folder/removed")
fi
half=$(pkg_half $(_without "$(_names removed)" "$back")) # /etc as before the killed run, not as that left it
if [ -n "$half" ]; then
    _draft
    pkg_remove $half
fi
_settle
_leave
gone=$(_there $absent)
drop=$(_there $(_without "$(_names installed)" "$declared"))
along=$(_without "$(_names removed)" "$back")
idle=$(_stranded "$along")
missing=$(_without "$present" "$(_there $present)")
again=$(_without "$back" "$(_there $back)")
[ -n "$missing$again" ] || drop="$drop$idle" # otherwise the new packages may need it
if [ -n "$missing$gone$drop$again" ]; then _transact "$missing" "$gone" "$drop" "$again"; fi
if [ -n "$gone$drop$idle" ]; then # no longer needed, though a remaining package recommended it before
    idle=$(_without "$(_stranded "$along")" "$present $back")
    [ -z "$idle" ] || pkg_remove $idle
fi
_give_back "$back"
[ -z "$back" ] || _forget "$back"
_drop_lines "$(_without "$(_names before)" "$declared")"
[ -z "${_dead:-}" ] || {
    echo "reinstalled, but not started:$_dead" >&2
    exit 71
}

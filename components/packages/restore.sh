# Restores the packages. On a host that has lost its records, only `ours` and `removed` are known.
#
# Exits: 71 a service that was running before does not start (UNSTARTED).
#
# uses: components/packages/transaction/records.sh components/packages/transaction/etc.sh
# uses: components/packages/transaction/give_back.sh components/packages/transaction/transaction.sh
# uses: hosts/system/distro.sh hosts/packages/manager.sh
# takes: folder ours removed
# shellcheck disable=SC2086,SC2046,SC2116,SC2005 # lists of names are words

known_distro
lost_records=
[ -f "$folder/before" ] || lost_records=yes
_open_records
_settle
_leave
if [ -n "$lost_records" ]; then # only what the state has is known
    for _name in $ours; do _note installed "$_name"; done
    for _name in $removed; do _note removed "$(echo "$_name" | tr '=' ' ') manual $_name"; done
fi
present=
back=$(_only_names $(_names removed))
drop="$(_there $(_names installed)) $(_stranded "")"
again=$(_without "$back" "$(_there $back)")
if [ "$drop$again" != " " ]; then _transact "" "" "$drop" "$again"; fi
left="$(_stranded "") $(pkg_half $(_names installed) $(_names pulled))"
[ "$left" = " " ] || pkg_remove $left
_give_back "$back"
[ -z "${_dead:-}" ] || {
    echo "reinstalled, but not started:$_dead" >&2
    exit 71
}
rm -rf "$folder"
rmdir "${folder%/*}" 2>/dev/null || :

# check_sudo    ends the script where sudo would not decide as declared with the drop-in in place
#
# Rules of sudoers(5) count in the order in which they are read, and the last that fits decides: one in another file, or
# on a later line, may undo the drop-in. What comes of all of them (aliases, groups, includes) only sudo itself can tell.
# So it is asked in a mount namespace of its own (trial.sh), where the account, its groups and the drop-in are as they
# shall be: to all others nothing is changed. A host on which that cannot be had is asked afterwards alone.
#
# Exits: 89 another rule decides.
#
# takes: name dropin dropin_content sudo_wanted groups groups_out sudo_trial

check_sudo() {
    for tool in sudo visudo unshare; do command -v "$tool" >/dev/null || return 0; done
    try=$(mktemp -d)
    mkdir "$try/room"
    printf '%s' "$dropin_content" >"$try/dropin"
    printf '%s' "$sudo_trial" >"$try/program"
    decides=$(unshare -m sh "$try/program" "$try" "$name" "$dropin" "$sudo_wanted" "$groups" "$groups_out" \
        2>/dev/null </dev/null) || decides=
    rm -rf "$try"
    [ -z "$decides" ] || {
        printf '%s\n' "$decides" >&2
        exit 89
    }
}

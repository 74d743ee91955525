# check_sudo    ends the script if sudo would not decide as declared with the drop-in in place
#
# Rules of sudoers(5) are read in order, and the last one that matches wins, so one in a later file or on a later line
# may override the drop-in. Only sudo itself can evaluate all of them (aliases, groups, includes). So it is asked in a
# separate mount namespace (trial.sh), with the account, its groups and the drop-in as declared; nothing changes outside
# of it. If that is not possible on a host, sudo is only asked afterwards.
#
# Exits: 89 another rule wins.
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

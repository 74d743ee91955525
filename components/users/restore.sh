# Restores an account to its state before Stockade; deletes it if Stockade created it.
#
# Exits: those of end_processes.sh and keys/program.sh; 98 the run is logged in as the account that it would delete.
#
# uses: hosts/system/files.sh hosts/system/only_roots.sh hosts/system/as_user.sh components/users/account.sh
# uses: components/users/change.sh components/users/end_processes.sh
# takes: name adopted dropin group_gid groups groups_out home_back home_made home_mode keys_managed remove_home
# takes: shadow_back shell_back

is_its_own() { # whether its number is that of no other account, and not a system account's
    uid=$uid name=$name awk -F: '$3 == ENVIRON["uid"] && $1 != ENVIRON["name"] { found = 1 } END { exit found }' \
        /etc/passwd && [ "$uid" -ge 1000 ]
}
delete_account() {
    uid=$(field 3)
    is_its_own || {
        say_left "somebody gave $name the number $uid, another account's: its processes and its home stay"
        restore_file prior_dropin "$dropin"
        userdel -f "$name" >&2 || [ -z "$(field 1)" ]
        return 0
    }
    [ "${SUDO_USER:-$(id -un)}" != "$name" ] || exit 98
    restore_file prior_dropin "$dropin"
    chage -E 0 "$name" # nobody can log in again meanwhile
    end_processes
    spool=
    if [ -n "$remove_home" ]; then
        home=$(field 6) gid=$(field 4)
        if [ -d "$home" ] && [ "$(stat -c %u "$home")" = "$uid" ]; then
            on_home "$home" rm -rf --one-file-system
        fi
        # without a home, -r only concerns the mail
        if [ ! -e "$home" ] && only_roots "${home%/*}" >/dev/null; then spool=-r; fi
    fi
    userdel $spool "$name" >&2 || [ -z "$(field 1)" ]
    if [ -n "$group_gid" ] && ! getent group "$name" >/dev/null; then groupadd -g "$group_gid" "$name"; fi
}
give_back_account() {
    home=$(field 6) uid=$(field 3) gid=$(field 4)
    [ -z "$keys_managed" ] || give_back_keys
    [ -z "$home_made" ] || on_home "$home" rmdir 2>/dev/null || :
    [ -z "$home_mode" ] || home_mode "$home_back" "$home_mode" || say_left "$home_back keeps its mode"
    [ "$home" = "$home_back" ] || set_home "$home_back"
    [ "$(field 7)" = "$shell_back" ] || usermod -s "$shell_back" "$name"
    for group in $groups; do
        if getent group "$group" >/dev/null; then usermod -aG "$group" "$name"; fi
    done
    for group in $groups_out; do
        if groups_of | grep -qw -- "$group"; then gpasswd -d "$name" "$group" >/dev/null; fi
    done
    if [ -n "$shadow_back" ] && [ -f "$kept" ]; then
        set_hash "$(cut -d: -f2 "$kept")"
        IFS=: read -r _ _ changed least longest warn grace ends _ <"$kept" || :
        chage -d "${changed:--1}" -M "${longest:--1}" -W "${warn:--1}" -I "${grace:--1}" -E "${ends:--1}" "$name"
        # no change of ours touches it, and shadow 4.19 has no such option
        [ "$(getent shadow "$name" | cut -d: -f4)" = "$least" ] || chage -m "${least:--1}" "$name" 2>/dev/null ||
            say_left "the password of $name keeps the minimum age that somebody gave it: chage cannot set it here"
    fi
    restore_file prior_dropin "$dropin"
}
if [ -z "$(field 1)" ]; then
    restore_file prior_dropin "$dropin"
elif [ -z "$adopted" ]; then
    delete_account
else
    give_back_account
fi
rm -f "$kept"
rmdir "${kept%/*}" 2>/dev/null || :

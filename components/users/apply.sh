# Puts a declared account in force: checks everything first, then sets the account, its password, its sudo right and its
# keys.
#
# Exits: those of check.sh, sudo/check.sh and keys/program.sh; 85 only root can create the home, 96 the home is another
# user's, 97 sshd reads keys from elsewhere.
#
# uses: hosts/guard/place.sh hosts/system/files.sh hosts/system/only_roots.sh hosts/system/as_user.sh
# uses: components/users/account.sh components/users/keys/keys.sh components/users/change.sh
# uses: components/users/check.sh components/users/sudo/check.sh
# takes: name adopted dropin dropin_content groups groups_out keys_content keys_expected keys_managed keys_mode
# takes: leaves_home password password_changed password_form shell ssh_mode want_home

check_programs
check_account
check_shell_and_groups
check_drop_in
check_attributes
check_home
check_sudo
tell_attributes() { # system programs do not say why they could not write
    _ended=$?
    [ "$_ended" = 0 ] || fixed /etc /etc/passwd /etc/shadow /etc/group /etc/gshadow || :
    exit "$_ended"
}
trap tell_attributes EXIT
arm
created=
if [ -z "$(field 1)" ]; then
    set -- -m -d "$new_home"
    if [ -e "$3" ]; then # kept when the account was deleted: its files remain the user's
        owner=$(stat -Lc %u "$3")
        if [ "$owner" -lt 1000 ] || getent passwd "$owner" >/dev/null; then exit 96; fi
        set -- "$@" -u "$owner"
    fi
    if [ -n "$shell" ]; then
        set -- "$@" -s "$shell"
    elif [ -x /bin/bash ]; then
        set -- "$@" -s /bin/bash
    else set -- "$@" -s /bin/sh; fi
    if getent group "$name" >/dev/null; then set -- "$@" -g "$name"; fi
    useradd "$@" "$name" >&2
    created=yes
elif [ -n "$adopted" ] && [ ! -f "$kept" ]; then
    place "${kept%/*}" "$kept.new"
    getent shadow "$name" >"$kept.new"
    mv "$kept.new" "$kept"
fi
uid=$(field 3) gid=$(field 4)
[ -z "$shell" ] || [ "$(field 7)" = "$shell" ] || usermod -s "$shell" "$name"
home=$(field 6)
if [ -n "$want_home" ] && [ "$home" != "$want_home" ]; then
    [ -z "$leaves_home" ] || give_back_keys
    set_home "$want_home"
    home=$want_home
fi
if [ ! -d "$home" ]; then
    upper=$(upper_of "$home")
    if top=$(only_roots "$upper"); then
        own=$top/${home#"$upper"}
        (umask 022 && mkdir -p "${own%/*}")
        mkdir -m 700 "$own"
        chown -h "$uid:$gid" "$own"
    else
        (umask 022 && as_user mkdir -p "${home%/*}") || refuse 85 "$home"
        as_user mkdir -m 700 "$home" || refuse 85 "$home"
    fi
fi
member=" $(groups_of) "
for group in $groups; do
    case $member in *" $group "*) ;; *) usermod -aG "$group" "$name" ;; esac
done
for group in $groups_out; do
    case $member in *" $group "*) gpasswd -d "$name" "$group" >/dev/null ;; esac
done
kind=$(shadow | sed -n 1p)
if [ -n "$password" ]; then
    if [ -n "$created$password_changed" ] || [ "$kind" != set ]; then
        # shellcheck disable=SC2086 # an option, or none
        printf '%s:%s\n' "$name" "$password" | chpasswd $password_form
    fi
else # `*` allows keys where `!` does not (sshd without PAM), and no password
    back='*'
    if [ -n "$password_changed" ] && [ -f "$kept" ]; then back=$(cut -d: -f2 "$kept"); fi
    case $back in '' | '!'*) back='*' ;; esac
    case $kind in locked | empty) set_hash "*" ;; *) [ -z "$password_changed" ] || set_hash "$back" ;; esac
fi
shadow | { # an expired password or account blocks logins by key too
    read -r kind
    IFS=: read -r changed _ longest _ grace _
    read -r expired || :
    case $expired in *account*) chage -E -1 "$name" ;; esac
    case $expired in *password*) chage -d "$(($(date +%s) / 86400))" "$name" ;; esac
    if [ "$kind" = none ] && [ -n "$grace${longest#99999}" ]; then chage -M -1 -I -1 "$name"; fi
}
if [ -n "$dropin_content" ]; then
    write_file "$dropin" 440 root root "$dropin_content"
else
    clear_place "$dropin"
    rm -f "$dropin"
fi
if [ -n "$keys_managed" ]; then (
    # required by sshd's StrictModes
    case $(stat -Lc %A "$home") in ?????w???? | ????????w?) on_home "$home" chmod go-w ;; esac
    if [ ! -L "$home/.ssh" ] && [ ! -e "$home/.ssh" ] && top=$(only_roots "$home"); then
        mkdir -m 700 "$top/.ssh"
        chown -h "$uid:$gid" "$top/.ssh"
    fi
    put_keys "$ssh_mode" "$keys_mode" "$(keys_sum "$keys_expected")" "$keys_content" ""
    sources=$(sshd -T -C "user=$name,host=localhost,addr=127.0.0.1" 2>/dev/null |
        sed -n 's/^[Aa]uthorized[Kk]eys[Ff]ile //p') || :
    case " $sources " in
        "  " | *" .ssh/authorized_keys "* | *" %h/.ssh/authorized_keys "* | *" $home/.ssh/authorized_keys "*) ;;
        *) refuse 97 "$sources" ;;
    esac
) fi

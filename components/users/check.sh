# Checks before an account is changed: functions that end the script if the change would fail.
#
# upper_of FOLDER    prints its lowest existing parent directory
#
# Exits: 82 something else is in the home's place, 84 no home, 85 others can write where it would be, 87 a file
# attribute, 88 a system account, 90 not in /etc/passwd, 92 a program is missing, 93 no such shell, 94 no such group, 95
# visudo refuses the rule.
# uses: hosts/system/files.sh hosts/system/only_roots.sh components/users/account.sh components/users/keys/keys.sh
# takes: name dropin dropin_content first groups home_lost keys_content keys_expected keys_managed shell shell_lost
# takes: want_home

limit() { # NAME, in login.defs(5): sets _limit
    _limit=$(key=$1 awk '$1 == ENVIRON["key"] { last = $2 } END { print last }' /etc/login.defs 2>/dev/null) || :
}
upper_of() {
    _below=$1
    while _below=${_below%/*} && [ -n "$_below" ] && [ ! -d "$_below" ]; do :; done
    printf '%s/\n' "$_below"
}
refuse() { # STATUS WHAT
    printf '%s\n' "$2" >&2
    exit "$1"
}
check_programs() {
    for tool in useradd usermod chpasswd chage gpasswd vipw ${dropin_content:+sudo visudo}; do
        command -v "$tool" >/dev/null || refuse 92 "$tool"
    done
}
check_account() { # checks that it belongs to a person and is local
    [ -z "$(field 1)" ] || is_local || exit 90
    if [ -n "$shell_lost" ]; then
        if [ -x /bin/bash ]; then shell=/bin/bash; else shell=/bin/sh; fi
    fi
    if [ -n "$home_lost" ]; then
        base=$(useradd -D | sed -n 's/^HOME=//p')
        want_home=${want_home:-${base:-/home}/$name}
    fi
    if [ -n "$(field 1)" ]; then
        limit UID_MIN
        _uid=$(field 3)
        if [ "$_uid" -lt "${_limit:-1000}" ] || [ "$_uid" = 65534 ] || [ "$_uid" = 65535 ]; then
            refuse 88 "$name has the number $_uid; people's accounts have those from ${_limit:-1000} on"
        fi
        case ${want_home:-$(field 6)} in /*) ;; *) exit 84 ;; esac
        case ${first:+${shell:-$(field 7)}} in
            */nologin | */false)
                refuse 88 "$name has the shell $(field 7), which ends every login; a person gets another by 'shell'"
                ;;
        esac
    elif _gid=$(getent group "$name" | cut -d: -f3) && [ -n "$_gid" ]; then
        limit GID_MIN
        [ "$_gid" -ge "${_limit:-1000}" ] ||
            refuse 88 "the group $name, whose member the account would be, is the system's (number $_gid)"
    fi
}
check_shell_and_groups() {
    [ -z "$shell" ] || [ -x "$shell" ] || refuse 93 "$shell"
    for group in $groups; do
        getent group "$group" >/dev/null || refuse 94 "$group"
    done
}
check_drop_in() {
    [ -n "$dropin_content" ] || return 0
    trial=$(mktemp)
    printf '%s' "$dropin_content" >"$trial"
    visudo -cqf "$trial" >&2 || {
        rm -f "$trial"
        exit 95
    }
    rm -f "$trial"
}
check_attributes() { # useradd reports it as a lock of /etc/passwd held by somebody else
    set --
    [ -n "$(field 1)" ] || set -- /etc /etc/passwd /etc/shadow /etc/group /etc/gshadow
    if [ -n "$dropin_content" ] && [ "$([ -f "$dropin" ] && cat "$dropin" && echo .)" != "$dropin_content." ]; then
        set -- "$@" "${dropin%/*}" "$dropin"
    elif [ -z "$dropin_content" ] && [ -f "$dropin" ]; then
        set -- "$@" "${dropin%/*}" "$dropin"
    fi
    ! fixed "$@" || exit 87
    if [ -n "$keys_managed" ] && [ "$keys_content" != "$keys_expected" ] && [ -n "$(field 1)" ]; then
        home=$(field 6) uid=$(field 3) gid=$(field 4)
        [ ! -d "$home" ] || keys_do '' fixed
    fi
}
check_home() { # sets new_home
    new_home=${want_home:-$(field 6)}
    if [ -z "$(field 1)" ]; then
        base=$(useradd -D | sed -n 's/^HOME=//p')
        new_home=${want_home:-${base:-/home}/$name}
        only_roots "$(upper_of "$new_home")" >/dev/null || refuse 85 "$new_home"
    fi
    _place=$new_home
    while [ -n "$_place" ] && [ ! -d "$_place" ]; do # the home, or its lowest existing parent
        if [ -e "$_place" ] || [ -L "$_place" ]; then refuse 82 "$_place"; fi
        _place=${_place%/*}
    done
}

"""The sh of `components/users/chapter.py`.

What lies in a home is the user's, and is read and changed as the user (`components/users/keys_shell.py`). The account's
own shadow line is kept on the host alone, beside the record of the prior state.

Values: name, dropin (path of the sudoers drop-in); those of a change are set by the chapter.
"""

from components.users.keys_shell import FOREIGN_KEYS, KEYS, NO_FOLDER, STALE, STUCK, UNWRITABLE
from components.users.sudo_shell import CHECK_SUDO, SUDO_EXITS
from hosts.system.distro import DISTRO
from hosts.system.files import BOUNDED, FILE_EXITS, RESTORE_FILE, SHOW_FILE, WRITE_FILE, Limit

FOREIGN, _, NO_TOOL, NO_SHELL, NO_GROUP, BAD_SUDOERS, HOME_TAKEN, KEYS_ELSEWHERE, OWN_LOGIN, BUSY = range(90, 100)
SYSTEM = 88
HOME_OPEN = 85
NO_HOME = 84

EXITS = {
    **FILE_EXITS,
    **SUDO_EXITS,
    SYSTEM: "this is an account of the system and no person's; nothing was changed. Declare another name",
    UNWRITABLE: "a file that would have to be written cannot be; nothing was changed",
    FOREIGN: "the account is not in /etc/passwd but in a directory service (LDAP, SSSD); manage it there",
    FOREIGN_KEYS: "~/.ssh or authorized_keys is a symbolic link, no ordinary file, or someone else's; it is left alone",
    STUCK: "what changes ~/.ssh/authorized_keys as the user does not come to its end, since something of the user's "
    "stops it: end what runs there (`pkill -KILL -u NAME`), then run this again",
    NO_FOLDER: "~/.ssh cannot be made, since the home is not the user's own: make it, with the user as its owner",
    NO_HOME: "the account has no home directory in /etc/passwd; name one with `home`",
    HOME_OPEN: "others than root can write to the folder that the home would be in, so anything could be put in its "
    "place meanwhile; nothing was changed. Name another `home`, or make that folder root's alone",
    NO_TOOL: "a program is missing on the host (sudo, or what comes with the package passwd)",
    NO_SHELL: "the declared shell is not on the host",
    NO_GROUP: "a declared group is not on the host",
    BAD_SUDOERS: "visudo refuses the sudoers rule; it was not put in force",
    HOME_TAKEN: "the home directory is there already and belongs to another user; name another one with `home`",
    KEYS_ELSEWHERE: "sshd reads this user's keys from another place than ~/.ssh/authorized_keys (AuthorizedKeysFile)",
    OWN_LOGIN: "this run is logged in as the user that it shall delete; give the host a `bootstrap` login",
    BUSY: "the user's processes do not end",
}

SHADOW = """\
shadow() { # three lines: kind of password, the ageing fields, what has expired
    getent shadow "$name" | today=$(($(date +%s) / 86400)) awk -F: '{
        today = ENVIRON["today"] + 0
        print ($2 == "" ? "empty" : $2 ~ /^!/ ? "locked" : $2 ~ /^\\*/ ? "none" : "set")
        print $3 ":" $4 ":" $5 ":" $6 ":" $7 ":" $8
        print ($8 != "" && today >= $8 ? "account " : "") \\
            ($3 == "0" || ($3 != "" && $5 != "" && $5 >= 0 && today > $3 + $5) ? "password" : "")
    }'
}
field() { nth "$1" "$(getent passwd "$name")"; } # N of the account, nothing where there is none
nth() { # N LINE
    _n=$1 _left=$2
    while [ "$_n" -gt 1 ]; do _left=${_left#*:} _n=$((_n - 1)); done
    printf '%s\n' "${_left%%:*}"
}
is_local() { account=$name awk -F: '$1 == ENVIRON["account"] { found = 1 } END { exit !found }' /etc/passwd; }
"""

OBSERVE = f"""\
{DISTRO}{SHOW_FILE}{BOUNDED}{SHADOW}{KEYS}
account=$(getent passwd "$name") || account=
fits {Limit.ACCOUNT} "the account $name" "$account"
section account printf '%s\\n' "$account"
group=$(getent group "$name") || group=
fits {Limit.ACCOUNT} "the group $name" "$group"
section group printf '%s\\n' "$group"
begin sudo_group
for group in ${{admin_groups:-wheel sudo}}; do if getent group "$group" >/dev/null; then echo "$group"; break; fi; done
end
show_file dropin "$dropin"
if [ -n "$account" ]; then
    section groups id -Gn "$name"
    section shadow shadow
    section sudo sudo -n -l -U "$name" || :
    home=$(nth 6 "$account") uid=$(nth 3 "$account") gid=$(nth 4 "$account")
    begin home; [ ! -d "$home" ] || stat -Lc '%a %U %G' "$home"; end
    see_keys look
    section ssh printf '%s\\n' "$ssh_state"
    section keys.meta printf '%s\\n' "$keys_state" "$home/.ssh/authorized_keys"
    section keys.trouble printf '%s\\n' "$keys_trouble"
    section keys.content printf '%s' "$keys_found"
fi
"""

_CHANGE = f"""\
{WRITE_FILE}{RESTORE_FILE}{SHADOW}{KEYS}
kept=/var/lib/stockade/accounts/$name
set_home() {{ # usermod -d refuses while the user has a process, and that may be this very run
    edit=$(mktemp)
    cat >"$edit" <<'EOF'
awk 'BEGIN {{ FS = OFS = ":" }} $1 == ENVIRON["account"] {{ $6 = ENVIRON["account_home"] }} {{ print }}' \\
    "$1" >"$1.next" &&
    cat "$1.next" >"$1" && rm -f "$1.next" && touch -t 200001010000 "$1" # vipw goes by the time of change
EOF
    account=$name account_home=$1 VISUAL="sh $edit" EDITOR="sh $edit" vipw >/dev/null 2>&1 || :
    rm -f "$edit"
    touch /etc/passwd
    [ "$(field 6)" = "$1" ]
}}
set_hash() {{ printf '%s:%s\\n' "$name" "$1" | chpasswd -e; }}
say_left() {{ # what could not be given back
    left=$((${{left:-0}} + 1))
    section "left.$left" printf '%s\\n' "$1"
}}
give_back_keys() {{ # in $home; with the values prior_keys_*, prior_ssh_mode and keys_left
    [ -L "$home/.ssh" ] || [ -e "$home/.ssh" ] || return 0
    if [ -n "$keys_left" ]; then say_left "$keys_left"; return 0; fi
    if [ -n "$prior_keys_remove" ]; then
        remove_keys "$prior_ssh_mode" "$(keys_sum "$keys_expected")" && return 0 || _ended=$?
    else
        put_keys "$prior_ssh_mode" "$prior_keys_mode" "$(keys_sum "$keys_expected")" "$prior_keys_content" \\
            "$prior_keys_group" && return 0 || _ended=$?
    fi
    # whoever keeps changing what is its own keeps it as it is
    case $_ended in
        {FOREIGN_KEYS} | {STUCK}) _theirs=yes ;;
        {STALE}) _theirs=$keys_fresh ;;
        *) _theirs= ;;
    esac
    if [ -n "$_theirs" ]; then
        say_left "$home/.ssh/authorized_keys is being changed by somebody else, and is left as it is"
        return 0
    fi
    exit "$_ended"
}}
"""

_CHECK_BEFORE = f"""\
for tool in useradd usermod chpasswd chage gpasswd vipw ${{dropin_content:+sudo visudo}}; do
    command -v "$tool" >/dev/null || {{ printf '%s\\n' "$tool" >&2; exit {NO_TOOL}; }}
done
[ -z "$(field 1)" ] || is_local || exit {FOREIGN}
limit() {{ # NAME, in login.defs(5)
    _limit=$(key=$1 awk '$1 == ENVIRON["key"] {{ last = $2 }} END {{ print last }}' /etc/login.defs 2>/dev/null) || :
}}
if [ -n "$shell_lost" ]; then
    if [ -x /bin/bash ]; then shell=/bin/bash; else shell=/bin/sh; fi
fi
if [ -n "$(field 1)" ]; then
    limit UID_MIN
    _uid=$(field 3)
    if [ "$_uid" -lt "${{_limit:-1000}}" ] || [ "$_uid" = 65534 ] || [ "$_uid" = 65535 ]; then
        echo "$name has the number $_uid; people's accounts have those from ${{_limit:-1000}} on" >&2
        exit {SYSTEM}
    fi
    case ${{want_home:-$(field 6)}} in /*) ;; *) exit {NO_HOME} ;; esac
    case ${{first:+${{shell:-$(field 7)}}}} in
        */nologin | */false)
            echo "$name has the shell $(field 7), which ends every login; a person gets another by 'shell'" >&2
            exit {SYSTEM} ;;
    esac
elif _gid=$(getent group "$name" | cut -d: -f3) && [ -n "$_gid" ]; then
    limit GID_MIN
    [ "$_gid" -ge "${{_limit:-1000}}" ] || {{
        echo "the group $name, whose member the account would be, is the system's (number $_gid)" >&2
        exit {SYSTEM}
    }}
fi
[ -z "$shell" ] || [ -x "$shell" ] || {{ printf '%s\\n' "$shell" >&2; exit {NO_SHELL}; }}
for group in $groups; do
    getent group "$group" >/dev/null || {{ printf '%s\\n' "$group" >&2; exit {NO_GROUP}; }}
done
if [ -n "$dropin_content" ]; then
    trial=$(mktemp)
    printf '%s' "$dropin_content" >"$trial"
    visudo -cqf "$trial" >&2 || {{ rm -f "$trial"; exit {BAD_SUDOERS}; }}
    rm -f "$trial"
fi
# said before: useradd calls it a lock of /etc/passwd that somebody else has
set --
[ -n "$(field 1)" ] || set -- /etc /etc/passwd /etc/shadow /etc/group /etc/gshadow
if [ -n "$dropin_content" ] && [ "$(cat "$dropin" 2>/dev/null && echo .)" != "$dropin_content." ]; then
    set -- "$@" "${{dropin%/*}}" "$dropin"
elif [ -z "$dropin_content" ] && [ -f "$dropin" ]; then
    set -- "$@" "${{dropin%/*}}" "$dropin"
fi
! fixed "$@" || exit {UNWRITABLE}
if [ -n "$keys_managed" ] && [ "$keys_content" != "$keys_expected" ] && [ -n "$(field 1)" ]; then
    home=$(field 6) uid=$(field 3) gid=$(field 4)
    [ ! -d "$home" ] || keys_do '' fixed
fi
upper_of() {{ # FOLDER: the lowest one above it that is there
    _below=$1
    while _below=${{_below%/*}} && [ -n "$_below" ] && [ ! -d "$_below" ]; do :; done
    printf '%s/\\n' "$_below"
}}
if [ -z "$(field 1)" ]; then
    base=$(useradd -D | sed -n 's/^HOME=//p')
    new_home=${{want_home:-${{base:-/home}}/$name}}
    only_roots "$(upper_of "$new_home")" >/dev/null || {{ printf '%s\\n' "$new_home" >&2; exit {HOME_OPEN}; }}
fi
"""

# what a tool of the system could not write is told as its own trouble
_FAILED = """\
told() {
    _ended=$?
    [ "$_ended" = 0 ] || fixed /etc /etc/passwd /etc/shadow /etc/group /etc/gshadow || :
    exit "$_ended"
}
trap told EXIT
"""

_ACCOUNT = f"""\
arm
created=
if [ -z "$(field 1)" ]; then
    set -- -m -d "$new_home"
    if [ -e "$3" ]; then # kept when the account was deleted: its files stay the user's
        owner=$(stat -Lc %u "$3")
        if [ "$owner" -lt 1000 ] || getent passwd "$owner" >/dev/null; then exit {HOME_TAKEN}; fi
        set -- "$@" -u "$owner"
    fi
    if [ -n "$shell" ]; then set -- "$@" -s "$shell"
    elif [ -x /bin/bash ]; then set -- "$@" -s /bin/bash
    else set -- "$@" -s /bin/sh; fi
    if getent group "$name" >/dev/null; then set -- "$@" -g "$name"; fi
    useradd "$@" "$name" >&2
    created=yes
elif [ -n "$adopted" ] && [ ! -f "$kept" ]; then
    mkdir -p "${{kept%/*}}"
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
        own=$top/${{home#"$upper"}}
        (umask 022 && mkdir -p "${{own%/*}}")
        mkdir -m 700 "$own"
        chown -h "$uid:$gid" "$own"
    else
        as_user mkdir -p -m 700 "$home" || {{ printf '%s\\n' "$home" >&2; exit {HOME_OPEN}; }}
    fi
fi
member=" $(id -Gn "$name") "
for group in $groups; do
    case $member in *" $group "*) ;; *) usermod -aG "$group" "$name" ;; esac
done
for group in $groups_out; do
    case $member in *" $group "*) gpasswd -d "$name" "$group" >/dev/null ;; esac
done
"""

_AUTHENTICATION = """\
kind=$(shadow | sed -n 1p)
if [ -n "$password" ]; then
    if [ -n "$created$password_changed" ] || [ "$kind" != set ]; then
        printf '%s:%s\\n' "$name" "$password" | chpasswd $password_form
    fi
else # `*` lets keys in where `!` does not (sshd without PAM), and no password
    back='*'
    if [ -n "$password_changed" ] && [ -f "$kept" ]; then back=$(cut -d: -f2 "$kept"); fi
    case $back in '' | '!'*) back='*' ;; esac
    case $kind in locked | empty) set_hash "*" ;; *) [ -z "$password_changed" ] || set_hash "$back" ;; esac
fi
shadow | { # an expired password or account lets no key in either
    read -r kind
    IFS=: read -r changed _ longest _ grace _
    read -r expired || :
    case $expired in *account*) chage -E -1 "$name" ;; esac
    case $expired in *password*) chage -d "$(($(date +%s) / 86400))" "$name" ;; esac
    if [ "$kind" = none ] && [ -n "$grace${longest#99999}" ]; then chage -M -1 -I -1 "$name"; fi
}
"""

_SUDO = """\
if [ -n "$dropin_content" ]; then
    write_file "$dropin" 440 root root "$dropin_content"
elif [ -f "$dropin" ]; then
    rm -f "$dropin"
fi
"""

_WRITE_KEYS = f"""\
if [ -n "$keys_managed" ]; then (
    # sshd's StrictModes
    case $(stat -Lc %A "$home") in ?????w???? | ????????w?) on_home "$home" chmod go-w ;; esac
    if [ ! -L "$home/.ssh" ] && [ ! -e "$home/.ssh" ] && top=$(only_roots "$home"); then
        mkdir -m 700 "$top/.ssh"
        chown -h "$uid:$gid" "$top/.ssh"
    fi
    put_keys "$ssh_mode" "$keys_mode" "$(keys_sum "$keys_expected")" "$keys_content" ""
    sources=$(sshd -T -C "user=$name,host=localhost,addr=127.0.0.1" 2>/dev/null |
        sed -n 's/^authorizedkeysfile //p') || :
    case " $sources " in
        "  " | *" .ssh/authorized_keys "* | *" %h/.ssh/authorized_keys "* | *" $home/.ssh/authorized_keys "*) ;;
        *) printf '%s\\n' "$sources" >&2; exit {KEYS_ELSEWHERE} ;;
    esac
) fi
"""

APPLY = _CHANGE + _CHECK_BEFORE + CHECK_SUDO + _FAILED + _ACCOUNT + _AUTHENTICATION + _SUDO + _WRITE_KEYS

END_PROCESSES = f"""\
processes() {{ grep -ls "^Uid:[[:space:]]*$uid[[:space:]]" /proc/[0-9]*/status | cut -d/ -f3; }}
end_processes() {{
    for signal in TERM KILL; do
        count=0
        while pids=$(processes) && [ -n "$pids" ] && [ "$count" -lt 25 ]; do
            [ "$count" -gt 0 ] || kill -s "$signal" $pids 2>/dev/null || :
            count=$((count + 1))
            sleep 0.2
        done
    done
    [ -z "$(processes)" ] || exit {BUSY}
}}
"""

_DELETE = f"""\
[ "${{SUDO_USER:-$(id -un)}}" != "$name" ] || exit {OWN_LOGIN}
restore_file prior_dropin "$dropin"
chage -E 0 "$name" # nobody comes in again meanwhile
end_processes
spool=
if [ -n "$remove_home" ]; then
    home=$(field 6) gid=$(field 4)
    if [ -d "$home" ] && [ "$(stat -c %u "$home")" = "$uid" ]; then on_home "$home" rm -rf --one-file-system; fi
    # with no home left, -r is about the mail
    if [ ! -e "$home" ] && only_roots "${{home%/*}}" >/dev/null; then spool=-r; fi
fi
userdel $spool "$name" >&2 || [ -z "$(field 1)" ]
if [ -n "$group_gid" ] && ! getent group "$name" >/dev/null; then groupadd -g "$group_gid" "$name"; fi
"""

_GIVE_BACK = """\
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
    if id -Gn "$name" | grep -qw -- "$group"; then gpasswd -d "$name" "$group" >/dev/null; fi
done
if [ -n "$shadow_back" ] && [ -f "$kept" ]; then
    set_hash "$(cut -d: -f2 "$kept")"
    IFS=: read -r _ _ changed least longest warn grace ends _ <"$kept" || :
    chage -d "${changed:--1}" -m "${least:--1}" -M "${longest:--1}" -W "${warn:--1}" \\
        -I "${grace:--1}" -E "${ends:--1}" "$name"
fi
restore_file prior_dropin "$dropin"
"""

RESTORE = f"""\
{_CHANGE}{END_PROCESSES}
if [ -z "$(field 1)" ]; then
    restore_file prior_dropin "$dropin"
elif [ -z "$adopted" ]; then
    uid=$(field 3)
{_DELETE}
else
{_GIVE_BACK}
fi
rm -f "$kept"
rmdir "${{kept%/*}}" 2>/dev/null || :
"""

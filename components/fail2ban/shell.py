"""The sh of `components/fail2ban/chapter.py`.

Values: dropin (path of the file), jails (names, for `observe`); for a change also config (the declared text), enabled
(yes or empty), restarts (jails whose actions or logs change), prior_* (a FileState), prior_enabled, prior_active.
"""

from components.fail2ban.client import FAIL2BAN_CLIENT
from hosts.system.files import BOUNDED, FILE_EXITS, RESTORE_FILE, SHOW_FILE, WRITE_FILE
from hosts.system.origin import ENTRY
from hosts.system.services import SERVICES

UNIT = "fail2ban"
ABSENT = 69
REFUSED = 70
NOT_STARTED = 71

HEAD = """\
# Written by Stockade: edit the stack config instead, changes here are overwritten.
[DEFAULT]
# Found on the host when this was applied:
"""

# fail2ban 0.8.6 reads no jail.d, and none before 0.9 knows a jail `sshd` or filters of the jail's name. They take a
# section INCLUDES for a jail, which is on unless it says otherwise.
_INCLUDE = """\
# >>> Stockade
[INCLUDES]
enabled = false
port = 0:65535
after = jail.d/zz-stockade.local
# <<< Stockade"""
_OLD_DEFAULTS = """\
filter = %(__name__)s
port = 0:65535
[sshd]
port = ssh
logpath = /var/log/auth.log
[ssh]
enabled = false"""

WITHOUT_LOCK = (
    'action_ = %(banaction)s[name=%(__name__)s, port="%(port)s", protocol="%(protocol)s", chain="%(chain)s", '
    'lockingopt=""]'
)

OBSERVE = f"""\
{SHOW_FILE}
{SERVICES}
{FAIL2BAN_CLIENT}
{BOUNDED}
show_file dropin "$dropin"
set -- /etc/fail2ban/jail.conf /etc/fail2ban/jail.d/*.conf /etc/fail2ban/jail.local /etc/fail2ban/jail.d/*.local
small "$@"
unit=$(svc_state {UNIT})
section unit echo "$unit"
begin local
local=/etc/fail2ban/jail.local
if [ -f "$local" ] && sed '/^# >>> Stockade/,/^# <<< Stockade/d' "$local" | grep -q .; then echo "$local"; fi
for file in /etc/fail2ban/jail.d/*.local; do [ ! -e "$file" ] || echo "$file"; done
end
begin ignored
for file in "$@"; do # what fail2ban reads; from a pipe nothing would ever come
    [ ! -f "$file" ] || [ "$file" = "$dropin" ] || file="$file" awk 'BEGIN {{ file = ENVIRON["file"] }}
        /^[^ \\t]/ {{ inside = /^ignoreip[ \\t]*[=:]/ }}
        inside && !/^[ \\t]*[#;]/ {{ gsub(/[ \\t]+/, " "); print file ": " $0 }}' "$file" 2>/dev/null || :
done
end
begin jails
if command -v fail2ban-client >/dev/null && [ "${{unit##* }}" = active ]; then
    for jail in $jails; do
        for value in maxretry findtime bantime ignoreip; do printf 'get %s %s\\n' "$jail" "$value"; done
        printf 'status %s\\n' "$jail" # fail2ban before 0.11 tells bans nowhere else
    done | f2b_ask 2>/dev/null || :
fi
end
begin jumps
for tool in iptables ip6tables; do
    ! command -v "$tool" >/dev/null || "$tool" -S 2>/dev/null |
        sed -n "s/^-A .* -j \\(f2b\\|fail2ban\\)-\\(.*\\)/$tool \\2/p"
done
end
"""

_COMMON = (
    SERVICES
    + FAIL2BAN_CLIENT
    + RESTORE_FILE
    + WRITE_FILE
    + """\
local=/etc/fail2ban/jail.local
write_local() { # TO [LINES]: what others wrote there, with our LINES before it, or without any
    rest=$(sed '/^# >>> Stockade/,/^# <<< Stockade/d' "$local" 2>/dev/null && echo .) || rest=.
    case ${2:+
}${rest%.} in *"
[INCLUDES]"*) echo "$local has a section INCLUDES: move what that names into the file itself" >&2; exit REFUSED ;; esac
    if [ -n "${2-}${rest%.}" ]; then write_file "$1" 644 root root "${2:+$2
}${rest%.}"; else rm -f "$1"; fi
}
ask() { fail2ban-client "$@" 2>/dev/null; }
running() { command -v fail2ban-client >/dev/null && svc_active fail2ban; }
bans() { # `jail address` of all that are banned now
    running || return 0
    for jail in $(ask status | sed -n 's/.*Jail list:[[:space:]]*//p' | tr -d ','); do
        for address in $(ask status "$jail" | sed -n 's/.*IP list://p'); do echo "$jail $address"; done
    done
}
ready() { # the server answers before its jails are there
    [ $# -gt 0 ] || return 0
    _told=$(printf 'get %s bantime\\n' "$@" | f2b_ask 2>/dev/null) || return 1
    case $_told in *null*) return 1 ;; esac
}
answers() { [ "$(echo ping | f2b_ask 2>/dev/null)" = '"pong"' ]; }
wait_for() {
    tries=100
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] && running || return 1
        sleep 0.1
    done
}
old() { [ ! -e /etc/fail2ban/paths-common.conf ]; } # before 0.9
ban() { # JAIL ADDRESS; 0.8 takes it for one failure more
    times=1
    ! old || times=$(ask get "$1" maxretry)
    while [ "$times" -gt 0 ]; do
        ask set "$1" banip "$2" >/dev/null || :
        times=$((times - 1))
    done
}
bans_are_back() {
    bans >"$shown"
    ! printf '%s\\n' "$banned" | grep -qvxFf "$shown"
}
stop_jails() { # while their old actions are known: else the rules these made would stay for ever
    for jail in $1; do
        ! running || ask stop "$jail" >/dev/null || :
    done
}
put_bans_back() { # from its database it takes them itself, after a moment
    [ -n "$banned" ] && running || return 0
    shown=$(mktemp)
    tries=20
    until bans_are_back; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || break
        sleep 0.1
    done
    printf '%s\\n' "$banned" | while read -r jail address; do
        grep -qxF "$jail $address" "$shown" || ban "$jail" "$address"
    done
    rm -f "$shown"
}
""".replace("exit REFUSED", f"exit {REFUSED}")
)

APPLY = f"""\
command -v fail2ban-client >/dev/null || exit {ABSENT}
{_COMMON}
{BOUNDED}
{ENTRY}operator=$(entry)
operator=${{operator%% *}}
include=
backend=auto
if [ -d /run/systemd/journal ] && (cd / && "$f2b_python" -c 'import systemd.journal') 2>/dev/null; then
    backend=systemd
fi
if old; then
    backend=auto include=yes
    # times in seconds alone
    config=$(printf '%s' "$config" | awk '
        BEGIN {{ unit["s"] = 1; unit["m"] = 60; unit["h"] = 3600; unit["d"] = 86400; unit["w"] = 604800 }}
        /^(findtime|bantime) = [0-9]+[smhdw]$/ {{ $3 = substr($3, 1, length($3) - 1) * unit[substr($3, length($3))] }}
        {{ print }}'; echo .)
    config=${{config%.}}
fi
own="stockade_backend = $backend
stockade_operator = $operator"
more=
if [ -n "$include" ]; then
    more='
{_OLD_DEFAULTS}'
# iptables before 1.4.20 has no -w, with which fail2ban calls it
elif iptables -n -L INPUT >/dev/null 2>&1 && ! iptables -w -n -L INPUT >/dev/null 2>&1; then
    more='
{WITHOUT_LOCK}'
fi
for file in /etc/fail2ban/*.conf /etc/fail2ban/*.local /etc/fail2ban/*.d/*.conf /etc/fail2ban/*.d/*.local; do
    readable "$file" # fail2ban would wait for it for ever
done
trial=$(mktemp -d)
trap 'rm -rf "$trial"' EXIT
cp -a /etc/fail2ban/. "$trial"
mkdir -p "$trial/jail.d"
trial_dropin=$trial/jail.d/${{dropin##*/}}
rm -f "$trial_dropin"
tried() {{ fail2ban-client -c "$trial" "$1" 2>&1; }}
# What the host itself never bans is asked of fail2ban, with our jails as they are but for their own `ignoreip`.
kept=
asks=
for file in "$trial"/jail.conf "$trial"/jail.local "$trial"/jail.d/*.conf "$trial"/jail.d/*.local; do
    if grep -qs '^ignoreip' "$file"; then asks=yes; fi
done
if [ -n "$include" ]; then write_local "$trial/jail.local" '{_INCLUDE}'; fi
if [ -n "$asks" ]; then
    write_file "$trial_dropin" 644 root root "{HEAD}$own$more

$(printf '%s' "$config" | sed '/^ignoreip/d')
"
    kept=$(tried -d | sed "s/\\([[ ]\\)u'/\\1'/g") || kept=
fi
for jail in $(printf '%s' "$config" | sed -n 's/^\\[\\(.*\\)]$/\\1/p'); do
    own="$own
stockade_kept_$jail = $(printf '%s\\n' "$kept" | start="['set', '$jail', 'addignoreip', " awk '
        index($0, ENVIRON["start"]) == 1 && sub(/]$/, "") {{ print substr($0, length(ENVIRON["start"]) + 1) }}' |
        tr -d "'," | tr '\\n' ' ')"
done
own=$own$more
content="{HEAD}$own

$config"
write_file "$trial_dropin" 644 root root "$content"
if ! said=$(tried -t) && case $said in *Usage:*) ! said=$(tried -d) ;; esac; then # before 0.10 there is no -t
    printf '%s\\n' "$said" | sed -n 's/.*ERROR  *//p' >&2
    case $said in *'not found any log file'*)
        echo 'Is there the journal alone? Then a jail reads that (backend: systemd, the default for sshd),' >&2
        echo 'or something has to write the file: `packages: {{present: [rsyslog]}}`.' >&2 ;;
    esac
    exit {REFUSED}
fi
banned=$(bans)
stop_jails "$restarts"
(umask 022 && mkdir -p "${{dropin%/*}}")
if [ -n "$include" ]; then write_local "$local" '{_INCLUDE}'; fi
write_file "$dropin" 644 root root "$content"
if [ -z "$enabled" ]; then
    svc_disable {UNIT}
    exit 0
fi
svc_on {UNIT}
if running && wait_for answers; then
    fail2ban-client reload >/dev/null
else
    [ ! -d /run/systemd/system ] || systemctl reset-failed {UNIT} 2>/dev/null || :
    svc_restart {UNIT} || :
fi
if ! wait_for ready $jails; then
    ! command -v journalctl >/dev/null || journalctl -q -u {UNIT} -n 20 --no-pager -o cat | sed -n 's/.*ERROR  *//p' >&2
    tail -n 20 /var/log/fail2ban.log 2>/dev/null | sed -n 's/.*ERROR  *//p' >&2
    exit {NOT_STARTED}
fi
put_bans_back
"""

RESTORE = f"""\
{_COMMON}
banned=$(bans)
stop_jails "$jails"
restore_file prior "$dropin"
if grep -qs '^# >>> Stockade' "$local"; then
    [ -f "$dropin" ] || write_local "$local"
    rmdir "${{dropin%/*}}" 2>/dev/null || :
fi
if running && [ "$prior_active" = active ]; then
    fail2ban-client reload >/dev/null || svc_restart {UNIT}
    put_bans_back
fi
if [ "$(svc_enabled {UNIT})" != "" ]; then
    svc_restore {UNIT} "$prior_enabled" "$prior_active"
fi
"""

EXITS = {
    **FILE_EXITS,
    ABSENT: "fail2ban is not installed on the host",
    REFUSED: "fail2ban refuses this configuration; nothing was changed",
    NOT_STARTED: "fail2ban does not run its jails; see /var/log/fail2ban.log on the host",
}

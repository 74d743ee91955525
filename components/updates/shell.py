"""The sh of `components/updates/automatic.py` and `components/updates/system.py`.

Values of the first: text_apt, text_dnf, text_yum, text_sysconfig (the file for each kind of program), sources
(`others` than security), reboot_time, enabled (yes or empty), mail, prior_* (a FileState), timer_N (`enabled active`).
Of the second: full (yes or empty).
"""

from hosts.packages.manager import LOCK_TIMEOUT
from hosts.system.distro import DISTRO, UNSUPPORTED_EXIT
from hosts.system.files import FILE_EXITS, RESTORE_FILE, SHOW_FILE, WRITE_FILE
from hosts.system.services import SERVICES

ABSENT = 69
REFUSED = 70
NO_MAIL = 71
NO_SOURCES = 82
NO_UPDATER = 83
NO_REBOOT = 84
NO_CODENAME = 85
NO_TIMER = 86
MASKED = 87
OVERRULED = 88

_UPDATER = f"""\
{DISTRO}
known_distro
dropin=$updater_file
case $updater in # timers: what starts the program
    unattended-upgrades)
        program=unattended-upgrade timers=cron # before apt 1.2.10: /etc/cron.daily/apt
        if [ -d /run/systemd/system ] && [ -e /lib/systemd/system/apt-daily.timer ]; then
            timers='apt-daily.timer apt-daily-upgrade.timer'
        fi ;;
    dnf-automatic | dnf5-automatic) program=dnf-automatic timers=$updater.timer ;;
    yum-cron) program=/etc/cron.daily/0yum* timers='yum-cron crond' ;;
    *) exit {NO_UPDATER} ;;
esac
masked() {{ # the services that the timers start, of those that cannot be started
    for _timer in $timers; do
        case $_timer in
            *.timer) case $(systemctl is-enabled "${{_timer%.timer}}.service" 2>/dev/null) in
                masked*) echo "${{_timer%.timer}}.service" ;;
            esac ;;
        esac
    done
}}
"""

# Files of apt are read in the order of their names, /etc/apt/apt.conf last: what a later one says counts. What it says
# in the end only apt knows, so it is asked, with copies; then with each other file alone beside ours.
_OVERRULED = """\
dump() { # FILES: what apt reads of these and of ours
    rm -rf "$trial/parts"
    mkdir "$trial/parts"
    : >"$trial/main"
    for _file in "$@"; do
        case $_file in
            "$dropin") ;;
            /etc/apt/apt.conf) cat "$_file" >"$trial/main" ;;
            *) cp "$_file" "$trial/parts" ;;
        esac
    done
    printf '%s' "$text" >"$trial/parts/${dropin##*/}"
    printf 'Dir::Etc::parts "%s";\\nDir::Etc::main "%s";\\n' "$trial/parts" "$trial/main" >"$trial/config"
    APT_CONFIG=$trial/config apt-config dump
}
otherwise() { # stdin, a dump: the settings in it that are not as ours
    awk '
        { name = $1; key = tolower(name); value = $0; sub(/^[^ ]* "/, "", value); sub(/";$/, "", value) }
        key ~ /^apt::periodic::(enable|update-package-lists|unattended-upgrade)$/ {
            value = value != "" && value != "0" # how often is up to them
            known = 1
        }
        key ~ /^unattended-upgrade::(automatic-reboot-time|mail|mailreport)$/ { known = 1 }
        key == "unattended-upgrade::automatic-reboot" { value = tolower(value) ~ /^(true|yes|on|1)$/; known = 1 }
        key ~ /^unattended-upgrade::(origins-pattern|allowed-origins)::$/ {
            name = substr(name, 1, length(name) - 2)
            key = "origins"
            known = 1
        }
        known && FNR == NR { ours[key] = ours[key] "\\n" value }
        known && FNR != NR { theirs[key] = theirs[key] "\\n" value }
        known { called[key] = name; known = 0 }
        END { for (key in ours) if (ours[key] != theirs[key]) printf " %s", called[key] }' "$trial/ours" -
}
overruled() {
    set -- /etc/apt/apt.conf.d/*
    [ ! -f /etc/apt/apt.conf ] || set -- "$@" /etc/apt/apt.conf
    dump >"$trial/ours"
    [ -n "$(dump "$@" | otherwise)" ] || return 1
    for _one in "$@"; do
        _keys=$(dump "$_one" | otherwise)
        [ -z "$_keys" ] || echo "$_one:$_keys" >&2
    done
}
"""

OBSERVE = f"""\
{_UPDATER}
{SHOW_FILE}
{SERVICES}
show_file dropin "$dropin"
section updater echo "$updater $distro"
section timers svc_state $timers
begin config
case $updater in
    unattended-upgrades) apt-config dump ;;
    *) [ ! -f "$dropin" ] || cat "$dropin" ;;
esac
end
begin program
command -v $program || :
end
section masked masked
"""

APPLY = f"""\
{_UPDATER}
{SERVICES}
{WRITE_FILE}
{_OVERRULED}
if [ -n "$enabled" ]; then
    dead=$(masked)
    [ -z "$dead" ] || {{ echo $dead >&2; exit {MASKED}; }}
    command -v $program >/dev/null || exit {ABSENT}
    if [ -n "$mail" ] && [ ! -x /usr/bin/mail ] && [ ! -x /usr/sbin/sendmail ]; then exit {NO_MAIL}; fi
    [ "$timers" != cron ] || [ -n "$(svc_enabled cron)" ] || exit {NO_TIMER}
fi
if [ "$updater" != unattended-upgrades ]; then
    [ -z "$sources" ] || exit {NO_SOURCES}
    if [ -n "$reboot_time" ]; then
        case $updater in
            dnf5-automatic) ;;
            dnf-automatic)
                grep -rqs reboot_command /usr/lib/python3*/site-packages/dnf/automatic "$(command -v dnf-automatic)" ||
                    exit {NO_REBOOT} ;;
            *) exit {NO_REBOOT} ;;
        esac
    fi
fi
case $updater_file in
    /etc/apt/*) text=$text_apt ;;
    /etc/dnf/*) text=$text_dnf ;;
    /etc/yum/*) text=$text_yum ;;
    /etc/sysconfig/*) text=$text_sysconfig ;;
esac
all_updates() {{ case $text in *"$1"*) text=${{text%%"$1"*}}$2${{text#*"$1"}} ;; esac; }}
if [ "$updater $distro" = 'yum-cron centos' ]; then # its repositories do not tell which updates are about security
    all_updates 'update_cmd = security' 'update_cmd = default'
    all_updates 'YUM_PARAMETER=--security' 'YUM_PARAMETER='
fi
if [ "$updater$enabled" = unattended-upgradesyes ] && ! grep -qs Automatic-Reboot-Time "$(command -v $program)"; then
    # before 0.80 it reboots at once, and stops at an origin with a codename
    case $reboot_time in '' | now) ;; *) exit {NO_REBOOT} ;; esac
    if [ -n "$sources" ] && printf '%s' "$text" | grep -Eq '"([^"]*,)?(n|codename)='; then exit {NO_CODENAME}; fi
    text=$(printf '%s' "$text" | sed 's/,codename=[^,"]*//' | awk '!/origin=/ || !seen[$0]++'; echo .)
    text=${{text%.}}
fi
if [ "$updater" = unattended-upgrades ]; then
    trial=$(mktemp -d)
    trap 'rm -rf "$trial"' EXIT
    dump >/dev/null || exit {REFUSED} # one broken file and no apt command works any more
    ! overruled || exit {OVERRULED}
fi
write_file "$dropin" 644 root root "$text"
if [ -n "$enabled" ]; then
    svc_state $timers | while read -r timer state; do
        [ "$state" = 'enabled active' ] || svc_enable "$timer" </dev/null
    done
fi
"""

RESTORE = f"""\
{_UPDATER}
{SERVICES}
{RESTORE_FILE}
restore_file prior "$dropin"
number=0
for timer in $timers; do
    eval "state=\\${{timer_$number:-enabled active}}"
    svc_restore "$timer" $state
    number=$((number + 1))
done
"""

EXITS = {
    **FILE_EXITS,
    **UNSUPPORTED_EXIT,
    MASKED: "what would install the updates is masked, so no timer can start it; nothing was changed. "
    "`systemctl unmask` it, or leave `updates` out for this host",
    OVERRULED: "another of apt's files is read later and says otherwise; nothing was changed. Take out there",
    ABSENT: "what installs the updates (unattended-upgrades, dnf5-automatic, dnf-automatic, yum-cron) is not there",
    NO_UPDATER: "this distribution has no unattended updates; leave them out for this host (`updates: false`)",
    NO_SOURCES: "dnf-automatic, dnf5-automatic and yum-cron know no `origins`: leave them out for this host",
    NO_REBOOT: "this host's updates cannot reboot it at that time (dnf 4.15 and unattended-upgrades 0.80 can): leave "
    "`rebootTime` out for this host",
    NO_CODENAME: "unattended-upgrades before 0.80 knows no codename in `origins`: use `archive` or `label`",
    NO_TIMER: "what would start the updates every day is not there; install cron",
    REFUSED: "apt does not understand the settings; nothing was changed",
    NO_MAIL: "`mail` is set, and the host cannot send any: install a mail program (bsd-mailx) and a mail server, "
    "or leave `mail` out",
}

# Nothing asks, changed configuration files are kept, and what dpkg left undone before is done first.
UPGRADE = f"""\
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none UCF_FORCE_CONFFOLD=1
NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1
export PATH LC_ALL DEBIAN_FRONTEND APT_LISTCHANGES_FRONTEND UCF_FORCE_CONFFOLD NEEDRESTART_MODE NEEDRESTART_SUSPEND
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{DISTRO}
known_distro
installed() {{
    case $pkg_manager in
        apt) dpkg-query -W -f '${{Status}} ${{binary:Package}} ${{Version}}\\n' |
            sed -n 's/^[a-z]* [a-z]* installed //p' ;;
        dnf | yum | zypper) rpm -qa --qf '%{{NAME}}.%{{ARCH}} %{{VERSION}}-%{{RELEASE}}\\n' ;;
        pacman) pacman -Q ;;
    esac
}}
run() {{
    "$@" </dev/null >"$work/log" 2>&1 || {{
        status=$?
        tail -n 20 "$work/log" >&2
        exit "$status"
    }}
}}
apt() {{
    run apt-get -q -y -o DPkg::Lock::Timeout={LOCK_TIMEOUT} -o Dpkg::Use-Pty=0 \\
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}}
upgrade() {{ # Upgrade-Allow-New is --with-new-pkgs, which apt before 1.0 refuses
    case $pkg_manager in
        apt)
            if dpkg --audit | grep -q .; then run dpkg --force-confdef --force-confold --configure -a; fi
            apt update
            if [ "$full" = yes ]; then apt dist-upgrade; else apt -o APT::Get::Upgrade-Allow-New=true upgrade; fi ;;
        dnf) run dnf -y --refresh upgrade ${{full:+--allowerasing}} ;;
        yum)
            run yum clean expire-cache
            if [ "$full" = yes ]; then run yum -y upgrade; else run yum -y update; fi ;;
        pacman) run pacman -Syu --noconfirm --noprogressbar ;;
        zypper)
            how=update
            if [ "$full" = yes ] || [ "$distro" = opensuse-tumbleweed ]; then how=dist-upgrade; fi
            status=0
            zypper --non-interactive "$how" --no-recommends </dev/null >"$work/log" 2>&1 || status=$?
            case $status in # 102, 103: something is to be started again
                0 | 102 | 103 | 106 | 107) ;;
                *) tail -n 20 "$work/log" >&2; exit "$status" ;;
            esac ;;
    esac
}}
installed >"$work/before"
upgrade
installed >"$work/after"
before="$work/before" awk '
    BEGIN {{
        before = ENVIRON["before"]
        while ((getline line < before) > 0) {{ split(line, part, " "); was[part[1]] = part[2] }}
    }}
    !($1 in was) {{ print "installed", $1, $2 }}
    ($1 in was) && was[$1] != $2 {{ print "upgraded", $1, was[$1], $2 }}
    {{ delete was[$1] }}
    END {{ for (name in was) print "removed", name, was[name] }}' "$work/after" | sort >"$work/changes"
cat "$work/changes"
"""

REBOOT = """\
due=no
if [ -e /run/reboot-required ]; then due=yes; fi
newest=$(ls /lib/modules 2>/dev/null | sort -V | tail -n 1)
if [ -n "$newest" ] && [ -e "/boot/vmlinuz-$newest" ] && [ "$newest" != "$(uname -r)" ]; then due=yes; fi
# pacman removes the modules of the kernel that runs
if [ -e /etc/arch-release ] && [ -n "$newest" ] && [ ! -d "/lib/modules/$(uname -r)" ]; then due=yes; fi
echo "reboot $due"
"""
"""The kernel that runs is not the newest that is installed: Debian alone leaves no note of that."""

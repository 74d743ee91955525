"""The sh by which a host goes back by itself: the script `back` of a guard (hosts/guard/guarded.py), its start."""

TRIES = 210
"""How often the timer tries to go back: it is the last resort, so for three hours."""
SLOW = 180
"""How many of these come a minute after another; the first ones, a second."""

BOOT_UNIT = """\
[Unit]
Description=Put back what Stockade changed and nobody confirmed
DefaultDependencies=no
After=local-fs.target systemd-journald.socket systemd-journald-dev-log.socket
Before=network-pre.target netfilter-persistent.service iptables.service ip6tables.service
Before=ssh.service sshd.service ssh.socket sshd.socket
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for b in /var/lib/stockade/guard/*/back; do [ ! -f "$b" ] || sh "$b" boot; done'
[Install]
WantedBy=sysinit.target
"""

_ALL_BACK = 'for b in /var/lib/stockade/guard/*/back; do [ ! -f "$b" ] || sh "$b" boot; done\n'

# For SysV init as Red Hat has it: before network (10), iptables (08) and sshd (55).
BOOT_SCRIPT = f"""\
#!/bin/sh
# chkconfig: 2345 01 99
# description: puts back what Stockade changed and nobody confirmed
[ "$1" = start ] || exit 0
{_ALL_BACK}"""

DEBIAN_BOOT_SCRIPT = f"""\
#!/bin/sh
### BEGIN INIT INFO
# Provides: stockade-guard
# Required-Start: $local_fs
# Required-Stop:
# X-Start-Before: iptables-persistent networking ssh
# Default-Start: S
# Default-Stop:
# Short-Description: puts back what Stockade changed and nobody confirmed
### END INIT INFO
[ "$1" = start ] || exit 0
{_ALL_BACK}"""

WHY = """\
case $occasion in
    boot) why='the host started again before the change was confirmed' ;;
    settle) why='the run that made the change ended without confirming it' ;;
    now) why='the change could not be confirmed' ;;
    *) why='the change was not confirmed in time' ;;
esac"""

# Formatted with title, name, folder, why, back, tries and slow; title and back are words of sh already.
BACK = """\
#!/bin/sh
# Puts back what was in force before a change of Stockade, unless the change is confirmed.
set -u
umask 077
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
title={title}
occasion=${{1:-timer}}
{why}
guard={folder}/{name}
[ -f "$guard/back" ] || guard=$guard.going
[ -f "$guard/back" ] || exit 0
exec 9<"$guard/back"
flock 9
[ -z "${{2:-}}" ] || [ "$2" = "$(cat "$guard/changer" 2>/dev/null)" ] || exit 0 # the timer of another change
if [ -d {folder}/{name} ]; then mv {folder}/{name} {folder}/{name}.going || exit 1; fi
guard={folder}/{name}.going
[ -f "$guard/back" ] || exit 0 # somebody else was faster
record() {{
    echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) {name} $title: $why: $1" >>{folder}.log
    logger -t stockade -p auth.warning "$title: $why: $1" 9<&- 2>/dev/null || :
}}
ended() {{ # PID: end it and all that it started, and wait until it is no more; not us, who may be among them
    [ "$1" != "$$" ] || return 0
    kill -STOP "$1" 2>/dev/null || return 0
    for child in $(cat /proc/[0-9]*/stat 2>/dev/null | sed -n "s/^\\([0-9]*\\) .*) . $1 .*/\\1/p"); do
        (ended "$child")
    done
    kill -KILL "$1" 2>/dev/null
    waited=0
    while [ "$waited" -lt 100 ] && sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | grep -qv '^Z'; do
        waited=$((waited + 1))
        sleep 0.05
    done
}}
asleep= # sudo stops when what it runs is stopped, and does not see its end then
if [ "$occasion" != boot ] && read -r pid start <"$guard/changer"; then
    if [ "$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d ' ' -f 20)" = "$start" ]; then
        above=$pid
        for _ in one monitor; do
            above=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$above/status" 2>/dev/null)
            [ "$(cat "/proc/$above/comm" 2>/dev/null)" = sudo ] || break
            asleep="$asleep $above"
        done
        ended "$pid"
    fi
fi
rm -f "$guard/room"
tries=1 pause=1
[ "$occasion" != timer ] || tries={tries}
until guard=$guard occasion=$occasion sh -c {back} 9<&-; do
    status=$?
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then record "going back FAILED with status $status"; exit 1; fi
    if [ "$tries" -eq {slow} ]; then record "going back fails with status $status, and is tried again"; pause=60; fi
    if [ "$tries" -gt {slow} ]; then sleep "$pause"; continue; fi
    flock -u 9 # whoever comes back meanwhile need not wait
    sleep "$pause"
    flock 9
    [ -f "$guard/back" ] || exit 0
done
record 'what was in force before is in force again'
if [ -f "$guard/fresh" ]; then while read -r record; do rm -f "$record"; done <"$guard/fresh"; fi
rm -rf "$guard"
waited=0
while [ -n "$asleep" ] && [ "$waited" -lt 40 ]; do
    left=
    for above in $asleep; do
        if [ "$(cat "/proc/$above/comm" 2>/dev/null)" = sudo ] && kill -CONT "$above"; then left="$left $above"; fi
    done
    asleep=$left
    waited=$((waited + 1))
    sleep 0.05
done
"""

"""A change that goes back by itself unless somebody proves that the host can still be entered.

`hold` takes the host for this run and settles what a dead run left behind. `armed` puts a change into a script that
first saves what is in force and arms the way back: a systemd timer, or a detached process where there is no systemd.
The caller then confirms over a new connection, and sends `committed`, which makes the change survive a reboot and
disarms; or `given_up`, which goes back at once. If neither comes in time, the host goes back alone. After a reboot in
between, a unit that runs before sshd goes back too.

On the host: /var/lib/stockade/guard/NAME/ while a change is armed, /var/lib/stockade/guard.log for what went back.
Whoever renames that folder first decides, so a commit and a timer can't both win.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hosts.shell import Script, quote

HELD = 78
"""Exit status: another run has the host."""
GONE_BACK = 79
"""Exit status of `committed`: the host has gone back already."""
FOLDER = "/var/lib/stockade/guard"
LIMIT = 30
"""Seconds within which a change must be confirmed."""

_BOOT_UNIT = """\
[Unit]
Description=Put back what Stockade changed and nobody confirmed
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target netfilter-persistent.service ssh.service sshd.service ssh.socket sshd.socket
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for b in /var/lib/stockade/guard/*/back; do [ ! -f "$b" ] || sh "$b" boot; done'
[Install]
WantedBy=sysinit.target
"""

_HEAD = f"""\
guards={FOLDER}
unit=/etc/systemd/system/stockade-guard.service
wanted=/etc/systemd/system/sysinit.target.wants/stockade-guard.service
_go_back() {{ # FOLDER OCCASION
    [ -d "$1" ] || return 0
    [ "$2" = timer ] || _stop_timer "$1"
    if [ -f "$1/back" ]; then sh "$1/back" "$2" >&2 || :; fi
    rm -rf "$1"
}}
_at_boot() {{ # wanted by hand: `systemctl enable` would reload systemd, which takes longer than all the rest
    [ -d /run/systemd/system ] || return 0
    mkdir -p "${{wanted%/*}}"
    printf '%s' {quote(_BOOT_UNIT)} >"$unit"
    ln -sf "$unit" "$wanted"
}}
_stop_timer() {{ [ ! -f "$1/timer" ] || systemctl stop "$(cat "$1/timer")" 2>/dev/null || :; }}
_no_guards() {{
    [ -d "$guards" ] || return 0
    rmdir "$guards" 2>/dev/null || return 0
    rm -f "$unit" "$wanted"
    if [ -d "$guards" ]; then _at_boot; return 0; fi # another change was armed meanwhile
    rmdir /var/lib/stockade 2>/dev/null || :
}}
"""

# The holder is the process of sshd that serves the run: it ends with the run's connection, whatever ended that.
_HOLD = """\
_started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }
lock=/run/stockade
server=$$
while [ "$server" -gt 1 ]; do
    case $(cat "/proc/$server/comm") in sshd*) break ;; esac
    server=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$server/status")
done
tries=0
until mkdir -m 700 "$lock" 2>/dev/null; do
    held_by= held_pid= held_start= held_run=
    [ ! -f "$lock/holder" ] || . "$lock/holder"
    [ "$held_run" != "$run" ] || break
    gone=
    if [ -n "$held_pid" ]; then [ "$(_started "$held_pid")" = "$held_start" ] || gone=1; fi
    if [ "$tries" -ge 20 ] && [ -z "$held_pid" ]; then gone=1; fi # died before it could say who it is
    if [ -n "$gone" ]; then
        if mv "$lock" "$lock.$$" 2>/dev/null; then rm -rf "$lock.$$"; fi
        continue
    fi
    if [ "$tries" -ge 20 ]; then echo "$held_by" >&2; exit 78; fi
    tries=$((tries + 1))
    sleep 0.25
done
{
    printf "held_run='%s'\\nheld_pid='%s'\\nheld_start='%s'\\n" "$run" "$server" "$(_started "$server")"
    printf 'held_by=%s\\n' "$quoted_name"
} >"$lock/holder.$$"
mv -f "$lock/holder.$$" "$lock/holder"
for folder in "$guards"/*; do
    case $folder in
        *".$run" | *".$run".*) continue ;; # our own, of another resource
        *.new | *.done) rm -rf "$folder" ;; # died before it was armed, or after it was confirmed
    esac
    [ -d "$folder" ] || continue
    echo "settling what an earlier run left: $folder" >&2
    _go_back "$folder" settle
done
_no_guards
"""

_ARM = """\
guard=$guards/$guard_name.$run
_go_back "$guard" settle
rm -rf "$guard.new"
for try in 1 2 3; do ! mkdir -p "$guard.new" 2>/dev/null || break; done # another change may end, and clean up
( guard=$guard.new; eval "$guard_save" )
printf '%s' "$guard_back" >"$guard.new/back"
mv "$guard.new" "$guard"
if [ -d /run/systemd/system ]; then
    _at_boot
    printf '%s' "stockade-back-$guard_name-$$.timer" >"$guard/timer"
    systemd-run -q --unit="stockade-back-$guard_name-$$" --on-active="$guard_limit" \\
        --timer-property=AccuracySec=100ms /bin/sh "$guard/back" timer
else
    setsid sh -c 'sleep "$1"; exec sh "$2" timer' guard "$guard_limit" "$guard/back" </dev/null >/dev/null 2>&1 &
fi
"""

_BACK = """\
#!/bin/sh
# {title}: goes back to what was in force before, unless the change is confirmed.
set -u
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
occasion=${{1:-timer}}
case $0 in *.going/back) guard=${{0%/back}} ;; *)
    guard={folder}/{name}.going
    mv {folder}/{name} "$guard" 2>/dev/null || exit 0
esac
{values}
(
{back}
) || echo "{title}: going back failed with status $?" >>/var/lib/stockade/guard.log
said="{title}: the change was not confirmed ($occasion) and has been taken back"
echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $said" >>/var/lib/stockade/guard.log
logger -t stockade -p auth.warning "$said" 2>/dev/null || :
rm -rf "$guard"
"""

_COMMIT = """\
guard=$guards/$guard_name.$run
mv "$guard" "$guard.done" 2>/dev/null || exit 79
( guard=$guard.done; eval "$guard_commit" ) || { status=$?; mv "$guard.done" "$guard"; exit "$status"; }
_stop_timer "$guard.done"
rm -rf "$guard.done"
_no_guards
"""


@dataclass(frozen=True)
class Guard:
    """How one change goes back.

    `save`: sh that stores what is in force under the folder `$guard`. `back`: sh that puts it in force again from
    there, alone on the host; `$occasion` is `timer`, `settle`, `now` or `boot`. `commit`: sh that makes the change
    survive a reboot. `values`: variables of all three, none of them secret. `limit`: seconds until the host goes back.
    """

    save: str
    back: str
    commit: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    limit: int = LIMIT


@dataclass(frozen=True)
class Run:
    """The run that changes hosts: a random `token`, and the `name` that others are told."""

    token: str
    name: str


def hold(run: Run) -> Script:
    """Take the host for this run, and settle what a dead run left armed. Fails with the name of who has it."""
    values = {"run": run.token, "quoted_name": quote(run.name)}
    exits = {HELD: "another run is changing this host; wait for it to end"}
    return Script("take the host", _HEAD + _HOLD, values, exits=exits)


def armed(script: Script, guard: Guard, title: str, run: Run) -> Script:
    """Let `script` save, arm and then change. What comes before it in `script.body` is up to the caller."""
    name = _name(title)
    lines = "\n".join(f"{key}={quote(value)}" for key, value in guard.values.items())
    back = _BACK.format(title=title, name=f"{name}.{run.token}", folder=FOLDER, values=lines, back=guard.back)
    values = {
        **guard.values,
        **script.values,
        "run": run.token,
        "guard_name": name,
        "guard_save": guard.save,
        "guard_back": back,
        "guard_limit": str(guard.limit),
    }
    return replace(script, values=values, body=f"{_HEAD}arm() {{\n{_ARM}}}\n{script.body}")


def committed(guard: Guard, title: str, run: Run) -> Script:
    """Make the change survive a reboot, and disarm. `GONE_BACK` where the host was faster."""
    values = {**guard.values, "guard_name": _name(title), "guard_commit": guard.commit or ":", "run": run.token}
    exits = {GONE_BACK: "the change was not confirmed in time: the host has taken it back by itself"}
    return Script("keep the change", _HEAD + _COMMIT, values, exits=exits)


def given_up(title: str, run: Run) -> Script:
    """Go back at once."""
    body = _HEAD + '_go_back "$guards/$guard_name.$run" now\n_no_guards\n'
    return Script("take the change back", body, {"guard_name": _name(title), "run": run.token})


def _name(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower())

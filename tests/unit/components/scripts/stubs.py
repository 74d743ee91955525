"""Stubs for a stage of programs that chapters' scripts call: systemctl with units, fail2ban with jails."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.shell_room import Stage

ONE_SHELL = pytest.mark.parametrize("stage", ["dash"], indirect=True)
"""For tests whose scripts other tests already run in every shell."""

_SYSTEMCTL = r"""
verb= units= now= skip= quiet= status=0
for word; do
    if [ -n "$skip" ]; then skip=; continue; fi
    case $word in
        -p) skip=yes ;;
        -q) quiet=yes ;;
        --now) now=yes ;;
        -*) ;;
        *) if [ -z "$verb" ]; then verb=$word; else units="$units $word"; fi ;;
    esac
done
for unit in $units; do
    case $unit in *.*) ;; *) unit=$unit.service ;; esac
    file=/run/units/$unit enabled= active=inactive
    [ ! -f "$file" ] || read -r enabled active <"$file"
    case $verb in
        show)
            loaded=loaded
            case $enabled in '') loaded=not-found ;; masked*) loaded=masked ;; esac
            printf 'Id=%s\nLoadState=%s\nActiveState=%s\nUnitFileState=%s\n' "$unit" "$loaded" "$active" "$enabled"
            [ ! -f "$file.shown" ] || cat "$file.shown"
            echo
            continue ;;
        is-enabled)
            echo "${enabled:-not-found}"
            [ "$enabled" = enabled ] || status=1
            continue ;;
        is-active)
            [ -n "$quiet" ] || echo "$active"
            [ "$active" = active ] || status=3
            continue ;;
    esac
    [ -n "$enabled" ] || { echo "Unit $unit not found." >&2; exit 5; }
    case $verb in
        enable) enabled=enabled ;;
        disable) enabled=disabled ;;
        mask) enabled=masked ;;
        unmask) [ "$enabled" != masked ] || enabled=disabled ;;
    esac
    case $verb$now in
        start | restart | enableyes)
            [ "$enabled" != masked ] && [ ! -e "$file.fails" ] || { echo "Job for $unit failed." >&2; exit 1; }
            [ "$active$verb" = activestart ] || [ ! -x "$file.starts" ] || "$file.starts"
            active=active ;;
        stop | disableyes) active=inactive ;;
    esac
    echo "$enabled $active" >"$file"
done
exit "$status"
"""


@dataclass(frozen=True)
class Units:
    """The units of a stage with systemd."""

    stage: Stage

    def set(self, name: str, state: str, *, starts: str = "", fails: bool = False) -> None:
        """Add a unit, for instance `enabled active`; `starts`: sh that runs at its start."""
        self.stage.write(f"/run/units/{name}", f"{state}\n")
        if starts:
            self.stage.write(f"/run/units/{name}.starts", f"#!/stage/sh\n{starts}\n", 0o755)
        if fails:
            self.stage.write(f"/run/units/{name}.fails")

    def state(self, name: str) -> str:
        """Return its state, such as `enabled active`; "" for a unit that does not exist."""
        return self.stage.read(f"/run/units/{name}").strip()


def own_units(stage: Stage) -> None:
    """Give the stage its own /lib/systemd: the rest of /lib is this machine's."""
    lib = stage.path("/lib")
    if not lib.is_symlink():
        return
    lib.unlink()
    lib.mkdir()
    for entry in Path("/lib").iterdir():
        if entry.name != "systemd":
            (lib / entry.name).symlink_to(f"/host/usr/lib/{entry.name}")
    stage.folder("/lib/systemd/system")


def systemctl(stage: Stage, **units: str) -> Units:
    """Give the stage systemd, with these services: `cron="enabled active"`."""
    stage.systemd()
    stage.folder("/run/units")
    own_units(stage)
    stage.program("systemctl", _SYSTEMCTL)
    made = Units(stage)
    for name, state in units.items():
        made.set(f"{name}.service", state)
    return made


_FAIL2BAN_CLIENT = r"""
jails=/run/f2b/jails
case $* in
    '-c '*' -t' | '-c '*' -d')
        if [ "$3" = -t ] && [ -e /run/f2b/old ]; then
            echo 'Usage: fail2ban-client [OPTIONS] <COMMAND>'
            exit 255
        fi
        cat "$2"/jail.conf "$2"/jail.local "$2"/jail.d/* >/run/f2b/read."${3#-}" 2>/dev/null
        if grep -q '^filter = unknown' /run/f2b/read."${3#-}"; then
            echo "2026-01-01 fail2ban [1]: ERROR   Unable to read the filter 'unknown'"
            exit 255
        fi
        if grep -q '^logpath = /nowhere' /run/f2b/read."${3#-}"; then
            echo "2026-01-01 fail2ban [1]: ERROR   Failed during configuration: Have not found any log file for a jail"
            exit 255
        fi
        [ "$3" = -t ] || cat /run/f2b/dump /run/f2b/read.d 2>/dev/null || : ;;
    status)
        [ -d "$jails" ] || exit 1
        printf 'Status\n|- Number of jail:\t1\n`- Jail list:\t%s\n' "$(ls "$jails" | paste -sd, - | sed 's/,/, /g')" ;;
    'status '*)
        if [ -e /run/f2b/late ]; then
            echo >>/run/f2b/late
            [ "$(wc -l </run/f2b/late)" -lt 3 ] || cp /run/f2b/later/* "$jails"
        fi
        printf '   `- Banned IP list:\t%s\n' "$(paste -sd' ' "$jails/$2")" ;;
    'get '*' maxretry') echo 2 ;;
    'set '*' banip '*)
        [ ! -e /run/f2b/refuses ] || exit 1
        if [ -e /run/f2b/old ] && ! grep -qx "$4" "$jails/$2.failures" 2>/dev/null; then
            echo "$4" >>"$jails/$2.failures"
        else echo "$4" >>"$jails/$2"; fi ;;
    'stop '*) rm -f "$jails/$2" ;;
    reload) /run/f2b/start ;;
esac
"""
_FAIL2BAN_START = r"""#!/stage/sh
mkdir -p /run/f2b/jails
for jail in $(sed -n 's/^\[\(.*\)]$/\1/p' /etc/fail2ban/jail.d/*.local 2>/dev/null | grep -v '^DEFAULT$'); do
    grep -q "^filter = fails" /etc/fail2ban/jail.d/*.local || : >>"/run/f2b/jails/$jail"
    [ ! -e "/run/f2b/database/$jail" ] || cp "/run/f2b/database/$jail" /run/f2b/jails
done
"""
_FAIL2BAN_PYTHON = r"""
case $2 in 'import systemd.journal') [ -e /run/f2b/journal ]; exit ;; esac
if [ -e /run/f2b/slow ]; then
    echo >>/run/f2b/slow
    [ "$(wc -l </run/f2b/slow)" -ge 3 ] || exit 1
fi
[ "$1 $2 $3" = '-E -S -c' ] && [ -d /run/f2b/jails ] || exit 1
while read -r verb jail value; do
    file=/run/f2b/jails/$jail
    case "$verb $value" in
        'ping ') echo '"pong"' ;;
        *) if [ ! -e "$file" ]; then echo null
        else
            case "$verb $value" in
                'get maxretry') echo 5 ;;
                'get findtime' | 'get bantime') echo 600 ;;
                'get ignoreip') cat /run/f2b/ignored 2>/dev/null || echo '["127.0.0.0/8", "::1"]' ;;
                'status ') printf '[["Filter", []], ["Actions", [["Banned IP list", [%s]]]]]\n' \
                    "$(sed 's/.*/"&"/' "$file" | paste -sd,)" ;;
            esac
        fi ;;
    esac
done
"""


@dataclass(frozen=True)
class Fail2ban:
    """The fail2ban of a stage: its server has the jails of the drop-in file, with their bans."""

    stage: Stage
    units: Units

    def run(self, **bans: str) -> None:
        """Run the server with these jails: `sshd="192.0.2.1 192.0.2.2"`."""
        self.units.set("fail2ban.service", "enabled active", starts="/run/f2b/start")
        self.stage.folder("/run/f2b/jails")
        for jail, addresses in bans.items():
            self.stage.write(f"/run/f2b/jails/{jail}", "".join(f"{one}\n" for one in addresses.split()))

    def bans(self, jail: str) -> list[str]:
        """Return the banned addresses."""
        return self.stage.read(f"/run/f2b/jails/{jail}").split()


def fail2ban(stage: Stage) -> Fail2ban:
    """Install fail2ban 1.0, not running yet."""
    stage.folder("/etc/fail2ban/jail.d", "/run/f2b")
    stage.write("/etc/fail2ban/jail.conf", "[DEFAULT]\nbantime = 10m\n")
    stage.write("/etc/fail2ban/paths-common.conf")
    stage.program("fail2ban-client", _FAIL2BAN_CLIENT)
    stage.program("python3", _FAIL2BAN_PYTHON)
    stage.write("/run/f2b/start", _FAIL2BAN_START, 0o755)
    stage.program("sleep")
    units = systemctl(stage)
    units.set("fail2ban.service", "disabled inactive", starts="/run/f2b/start")
    return Fail2ban(stage, units)

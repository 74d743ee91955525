"""The host's services: shell functions that a script puts before its own body, and the reader of what they print.

svc_state NAME…        prints `name enabled active` for each: systemctl(1)'s words, "absent" for an unknown unit
svc_enable NAME        enabled at boot and running now
svc_disable NAME       neither
svc_start | svc_stop | svc_restart | svc_reload NAME
svc_restore NAME ENABLED ACTIVE    as svc_state told
"""

from dataclasses import dataclass

NO_SYSTEMD = 69
"""Exit status (EX_UNAVAILABLE of sysexits.h): process 1 is not systemd."""

SYSTEMD = f"""\
_systemd() {{
    [ -d /run/systemd/system ] || {{ echo 'process 1 of this host is not systemd' >&2; exit {NO_SYSTEMD}; }}
}}
svc_state() {{
    _systemd
    for _unit in "$@"; do
        _enabled=$(systemctl is-enabled "$_unit" 2>/dev/null) || :
        _active=$(systemctl is-active "$_unit" 2>/dev/null) || :
        case $_enabled in '' | not-found) _enabled=absent ;; esac
        printf '%s %s %s\\n' "$_unit" "$_enabled" "${{_active:-inactive}}"
    done
}}
svc_enable() {{ _systemd; systemctl -q enable --now "$1"; }}
svc_disable() {{ _systemd; systemctl -q disable --now "$1"; }}
svc_start() {{ _systemd; systemctl start "$1"; }}
svc_stop() {{ _systemd; systemctl stop "$1"; }}
svc_restart() {{ _systemd; systemctl restart "$1"; }}
svc_reload() {{ _systemd; systemctl reload "$1"; }}
svc_restore() {{
    _systemd
    case $2 in
        enabled) systemctl -q unmask "$1" && systemctl -q enable "$1" ;;
        disabled) systemctl -q unmask "$1" && systemctl -q disable "$1" ;;
        masked) systemctl -q mask "$1" ;;
        *) : ;; # static, generated, absent: not ours to change
    esac
    case $2 in absent) return 0 ;; esac
    case $3 in active) systemctl start "$1" ;; *) systemctl stop "$1" ;; esac
}}
"""


@dataclass(frozen=True)
class ServiceState:
    """One unit: `enabled` is enabled, disabled, masked, static, …, or absent; `active` is active, inactive, …"""

    name: str
    enabled: str
    active: str


def service_states(text: str) -> dict[str, ServiceState]:
    """What `svc_state` printed, by the unit's name as it was asked for."""
    rows = (line.split() for line in text.splitlines() if line.strip())
    return {name: ServiceState(name, enabled, active) for name, enabled, active in rows}

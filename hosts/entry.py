"""Where a run comes from, as the host sees it: through NAT or a jump host not as the stack config would tell."""

from dataclasses import dataclass
from ipaddress import ip_address

ENTRY = """\
entry() { # prints SSH_CONNECTION; sudo has dropped it from the environment, not from that of who called it
    _entry=${SSH_CONNECTION-} _pid=$PPID
    while [ -z "$_entry" ] && [ "${_pid:-0}" -gt 1 ]; do
        { _entry=$(grep -az '^SSH_CONNECTION=' "/proc/$_pid/environ"); } 2>/dev/null || : # bash warns of the NUL
        _entry=${_entry#*=}
        read -r _stat <"/proc/$_pid/stat" || break
        set -- ${_stat##*) }
        _pid=$2
    done
    printf '%s\\n' "$_entry"
}
"""


@dataclass(frozen=True)
class Entry:
    """A connection from the address `client` to TCP `port` of the host."""

    client: str
    port: int


def entry(told: str) -> Entry | None:
    """Read SSH_CONNECTION (ssh(1)); None where it is missing, or where the run is on the host itself."""
    words = told.split()
    if len(words) != 4 or not words[3].isdecimal():
        return None
    client, server = words[0].partition("%")[0], words[2].partition("%")[0]
    try:
        address = ip_address(client)
    except ValueError:
        return None
    return None if address.is_loopback or client == server else Entry(client, int(words[3]))

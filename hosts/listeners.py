"""What listens on a host for connections and datagrams: ss(8) or netstat(8), and who it belongs to.

`LISTENERS` is the script's body, `listeners` the reader of what it prints. Source: the guide, "Determine Running
Services" (`sudo netstat -tulpn`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address

from hosts.distro import DISTRO

NO_TOOL = 69
"""Exit status (EX_UNAVAILABLE of sysexits.h): the host has neither ss nor netstat."""

# ss comes with every Debian and Ubuntu that has iproute2; netstat only with net-tools.
LISTENERS = f"""\
{DISTRO}\
_package_of() {{ # a path; a merged /usr is not what dpkg knows
    case $pkg_manager in
        dnf | yum) rpm -qf --qf '%{{NAME}}\\n' "$1" 2>/dev/null | grep -v ' is not owned by ' | head -n 1 ;;
        pacman) pacman -Qqo "$1" 2>/dev/null | head -n 1 ;;
        *) {{ dpkg-query -S "$1" || dpkg-query -S "${{1#/usr}}"; }} 2>/dev/null | sed -n '1s/[:,].*//p' ;;
    esac || :
}}
if command -v ss >/dev/null; then
    _shown=$(ss -tulpn)
    section ss printf '%s\\n' "$_shown"
elif command -v netstat >/dev/null; then
    _shown=$(netstat -tulpn 2>/dev/null)
    section netstat printf '%s\\n' "$_shown"
else
    exit {NO_TOOL}
fi
begin owners
printf '%s\\n' "$_shown" | grep -oE 'pid=[0-9]+|",[0-9]+,| [0-9]+/' | tr -dc '0-9\\n' | sort -un |
    while read -r _pid; do
        _exe=$(readlink "/proc/$_pid/exe" | sed 's/ (deleted)$//') || continue
        printf '%s %s\\n' "$_pid" "$(_package_of "$_exe")"
    done
end
begin sockets
[ ! -d /run/systemd/system ] || systemctl list-sockets --no-legend --no-pager --full |
    while read -r _listen _socket _service _; do
        case $_listen in
            *:[0-9]*)
                _file=$(systemctl show -p FragmentPath "$_socket" | sed 's/^[^=]*=//')
                printf '%s %s %s\\n' "$_listen" "${{_service%.service}}" "$(_package_of "$_file")" ;;
        esac
    done
end
"""


@dataclass(frozen=True, order=True)
class Listener:
    """One socket. `protocol`: tcp or udp. `address`: without zone; 0.0.0.0 and :: stand for all of a family, * for
    both. `process`: as the kernel names it (15 characters at most), or the service that systemd would start for it;
    "" where nobody knows. `package`: whose program it is; "" for one that no package brought."""

    protocol: str
    address: str
    port: int
    process: str = ""
    package: str = ""
    pid: int = 0

    @property
    def loopback(self) -> bool:
        """Whether only the host itself can reach it."""
        try:
            return ip_address(self.address).is_loopback
        except ValueError:
            return False  # netstat cuts long addresses off, and * is not one

    @property
    def family(self) -> str:
        """ "ipv4", "ipv6", or "both"."""
        return "both" if self.address == "*" else "ipv6" if ":" in self.address else "ipv4"

    def __str__(self) -> str:
        place = f"[{self.address}]" if ":" in self.address else self.address
        who = f" {self.process or '?'}"
        return f"{self.protocol} {place}:{self.port}{who}" + (f" (package {self.package})" if self.package else "")


_USER = re.compile(r'\("(?P<name>(?:[^"\\]|\\.)*)",(?:pid=)?(?P<pid>\d+)')  # no pid= in iproute2 of CentOS 6


def parse_ss(text: str) -> list[Listener]:
    """What `ss -tulpn` prints."""
    found = []
    for line in text.splitlines():
        columns = line.split(maxsplit=6)
        if len(columns) < 6 or columns[0] not in {"tcp", "udp"}:
            continue
        address, port = _endpoint(columns[4])
        users = [(match["name"], int(match["pid"])) for match in _USER.finditer(columns[6] if len(columns) > 6 else "")]
        # a socket that systemd opened stays open in it; the service that took it over is the one to name
        process, pid = next((user for user in users if user[1] != 1), users[0] if users else ("", 0))
        found.append(Listener(columns[0], address, port, process, pid=pid))
    return _once(found)


def parse_netstat(text: str) -> list[Listener]:
    """What `netstat -tulpn` prints."""
    found = []
    for line in text.splitlines():
        columns = line.split()
        if len(columns) < 6 or columns[0] not in {"tcp", "tcp6", "udp", "udp6"}:
            continue
        address, port = _endpoint(columns[3])
        # a UDP socket has no state, a name may have blanks
        program = " ".join(columns[6:] if columns[0].startswith("tcp") else columns[5:])
        pid, _, process = program.partition("/")
        known = pid.isdigit()
        process = process.split(":")[0].strip() if known else ""
        found.append(Listener(columns[0][:3], address, port, process, pid=int(pid) if known else 0))
    return _once(found)


def listeners(sections: Mapping[str, str]) -> list[Listener]:
    """What `LISTENERS` printed: every socket once, sorted, with its package."""
    found = parse_ss(sections["ss"]) if "ss" in sections else parse_netstat(sections["netstat"])
    packages = {pid: package for pid, _, package in (row.partition(" ") for row in sections["owners"].splitlines())}
    waiting = {}
    for row in sections.get("sockets", "").splitlines():
        listen, service, package = row.split(" ", 2)
        waiting[_endpoint(listen)] = (service, package)
    named = []
    for one in found:
        if one.pid == 1 and (one.address, one.port) in waiting:
            service, package = waiting[one.address, one.port]
            named.append(replace(one, process=service, package=package))
        else:
            named.append(replace(one, package=packages.get(str(one.pid), "")))
    return sorted(named)


def _endpoint(text: str) -> tuple[str, int]:
    """Address and port of `0.0.0.0:22`, `:::22`, `[::]:22`, `*:22` or `127.0.0.53%lo:53`."""
    address, _, port = text.rpartition(":")
    address = re.sub(r"%[^\]]*", "", address).strip("[]")
    return address, int(port) if port.isdigit() else 0


def _once(found: Iterable[Listener]) -> list[Listener]:
    """Without repetitions: several threads or processes may share a port."""
    return list({(one.protocol, one.address, one.port, one.process): one for one in found}.values())

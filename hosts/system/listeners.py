"""What listens on a host for connections and datagrams, and which program it is.

ss(8) or netstat(8) list the sockets with their inodes; /proc shows which processes hold them, by executable. What a
process calls itself is ignored: anybody may name a process `sshd`. A program is shown by name and package if only root
can write its file, at that path on the host; a program that users could have written is shown by its full path.
`listeners` parses the output of `hosts/system/listeners.sh`. Source: the guide, "Determine Running Services".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

NO_TOOL = 69
"""Exit status (EX_UNAVAILABLE of sysexits.h): the host has neither ss nor netstat."""

KERNEL = "kernel"
"""Holder of a socket without a process, such as those of NFS and WireGuard."""

CONTAINER = "container"
"""Holder whose file is not the host's: in another user namespace, or with another file at that path on the host."""


@dataclass(frozen=True, order=True)
class Listener:
    """One socket. `protocol`: tcp or udp. `address`: without zone; 0.0.0.0 and :: stand for all of a family, * for
    both. `process`: the name of its program; the full path if not only root can write it; `CONTAINER`, `KERNEL`; or the
    service that systemd would start for it. `package`: the program's package; "" if it has none. `file`: what runs in a
    container. `uid`: the user that runs it."""

    protocol: str
    address: str
    port: int
    process: str = ""
    package: str = ""
    file: str = ""
    uid: int = 0

    @property
    def loopback(self) -> bool:
        """Whether only the host itself can reach it."""
        try:
            return ip_address(self.address).is_loopback
        except ValueError:
            return False  # netstat truncates long addresses, and * is not one

    @property
    def person(self) -> bool:
        """Whether a person's account runs it, not a system account. The uids of nobody and systemd's dynamic users lie
        between."""
        return 1000 <= self.uid < 60000 or self.uid >= 65536

    @property
    def family(self) -> str:
        """ "ipv4", "ipv6", or "both"."""
        return "both" if self.address == "*" else "ipv6" if ":" in self.address else "ipv4"

    def __str__(self) -> str:
        place = f"[{self.address}]" if ":" in self.address else self.address
        more = (
            self.file,
            f"package {self.package}" if self.package else "",
            f"of uid {self.uid}" if self.person else "",
        )
        detail = ", ".join(word for word in more if word)
        return f"{self.protocol} {place}:{self.port} {self.process}" + (f" ({detail})" if detail else "")


@dataclass(frozen=True)
class Socket:
    """One line of ss or netstat."""

    protocol: str
    address: str
    port: int
    inode: str


def parse_ss(text: str) -> list[Socket]:
    """Parse the output of `ss -tulne`."""
    found = []
    for line in text.splitlines():
        columns = line.split()
        if len(columns) < 6 or columns[0] not in {"tcp", "udp"}:
            continue
        # the first one: a cgroup further on may have any name
        inode = next((word[4:] for word in columns[6:] if re.fullmatch("ino:[0-9]+", word)), "")
        found.append(Socket(columns[0], *_endpoint(columns[4]), inode))
    return found


def parse_netstat(text: str) -> list[Socket]:
    """Parse the output of `netstat -tulne`."""
    found = []
    for line in text.splitlines():
        columns = line.split()
        if len(columns) < 7 or columns[0] not in {"tcp", "tcp6", "udp", "udp6"}:
            continue
        found.append(Socket(columns[0][:3], *_endpoint(columns[3]), columns[-1]))
    return found


def listeners(sections: Mapping[str, str]) -> list[Listener]:
    """Parse the output of `listeners.sh`: every socket once for each program that holds it, sorted."""
    sockets = parse_ss(sections["ss"]) if "ss" in sections else parse_netstat(sections["netstat"])
    programs = {row[0]: row[1:] for row in _rows(sections["programs"], 5)}
    holders: dict[str, list[str]] = {}
    for pid, inode in _rows(sections["holders"], 2):
        holders.setdefault(inode, []).append(pid)
    waiting = {}
    for row in sections.get("sockets", "").splitlines():
        listen, service, package = row.split(" ", 2)
        waiting[_endpoint(listen)] = (service, package)
    found = set()
    for one in sockets:
        pids = [pid for pid in holders.get(one.inode, ()) if pid in programs]
        # systemd keeps the sockets it opened open; name the service that took them over
        others = [pid for pid in pids if pid != "1"]
        place = (one.protocol, one.address, one.port)
        if pids == ["1"] and place[1:] in waiting:
            found.add(Listener(*place, *waiting[place[1:]]))
        elif not pids:
            found.add(Listener(*place, KERNEL))
        else:
            found.update(_held(place, programs[pid]) for pid in others or pids)
    return sorted(found)


def _rows(text: str, columns: int) -> Iterator[list[str]]:
    for line in text.splitlines():
        row = line.split(" ", columns - 1)
        if len(row) == columns:
            yield row


def _held(place: tuple[str, str, int], program: list[str]) -> Listener:
    """The listener at a place (protocol, address, port) from a row of `programs`."""
    kind, uid, package, path = program
    number = int(uid) if uid.isdigit() else 0
    if kind == CONTAINER:
        return Listener(*place, CONTAINER, file=path, uid=number)
    if kind == "host":
        return Listener(*place, path.rpartition("/")[2], package.strip("-"), uid=number)
    return Listener(*place, path, uid=number)


def _endpoint(text: str) -> tuple[str, int]:
    """Parse address and port of `0.0.0.0:22`, `:::22`, `[::]:22`, `*:22` or `127.0.0.53%lo:53`."""
    address, _, port = text.rpartition(":")
    address = re.sub(r"%[^\]]*", "", address).strip("[]")
    return address, int(port) if port.isdigit() else 0

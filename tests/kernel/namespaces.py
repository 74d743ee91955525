"""Two network namespaces with cables between them; the kernel's verdict on each packet is read from nft sets."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from rules.values.family import Family
from tests.kernel.wire import Frame, ethernet

T = TypeVar("T")
CABLES = ("eth0", "eth1")
ADDRESSES = {Family.IPV4: ("198.51.100.2", "203.0.113.2"), Family.IPV6: ("2001:db8:1::2", "2001:db8:2::2")}
PEERS = {Family.IPV4: ("198.51.100.1", "203.0.113.1"), Family.IPV6: ("2001:db8:1::1", "2001:db8:2::1")}
STATES = ("invalid", "new", "related", "established", "untracked")
# Never tracked, so that this state also occurs in IPv4.
UNTRACKED = "198.51.100.99"
_WAIT = 5.0
_TOOLS = ("ip", "nft", "iptables-nft-restore", "ip6tables-nft-restore", "iptables-legacy-restore")


def missing() -> str | None:
    """Why this machine cannot create namespaces, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux for network namespaces"
    absent = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return f"{', '.join(absent)} not installed" if absent else None


def _marker() -> str:
    """Record each packet and its state before the filter table, and each remaining packet after it."""
    sets = [
        f"set {name}{family} {{ typeof {key}; flags dynamic; size 65535; }}"
        for family, key in ((4, "ip id"), (6, "ip6 flowlabel"))
        for name in (*STATES, "reply", "accepted")
    ]
    seen = [
        f"{test} add @{name}{family} {{ {key} }}"
        for family, key in ((4, "ip id"), (6, "ip6 flowlabel"))
        for name, test in (*((state, f"ct state {state}") for state in STATES), ("reply", "ct direction reply"))
    ]
    accepted = [f"add @accepted{family} {{ {key} }}" for family, key in ((4, "ip id"), (6, "ip6 flowlabel"))]
    return "\n".join(
        [
            "table inet marker {",
            *sets,
            f"chain first {{ type filter hook prerouting priority -300; ip saddr {UNTRACKED} notrack; }}",
            "chain before { type filter hook input priority -10;",
            *seen,
            "}",
            "chain after { type filter hook input priority 100;",
            *accepted,
            "}",
            "chain silence { type filter hook output priority -400; policy accept; }",
            "}",
            "",
        ]
    )


class Wires:
    """A host under test and a peer. Use as a context manager."""

    def __init__(self) -> None:
        self.host, self.peer = (f"stockade-{os.getpid()}-{name}" for name in ("host", "peer"))
        self._sockets: dict[str, socket.socket] = {}
        self._kept: list[socket.socket] = []
        self._hardware: dict[str, bytes] = {}

    def __enter__(self) -> Wires:
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for open_socket in (*self._sockets.values(), *self._kept):
            open_socket.close()
        for name in (self.host, self.peer):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=20, check=False)

    def _build(self) -> None:
        for name in (self.host, self.peer):
            self._run(["ip", "netns", "add", name])
            self._run(["ip", "-n", name, "link", "set", "lo", "up"])
        for number, cable in enumerate(CABLES):
            self._run(
                ["ip", "-n", self.host, "link", "add", cable, "type", "veth", "peer", "name", cable, "netns", self.peer]
            )
            for name, addresses in ((self.host, ADDRESSES), (self.peer, PEERS)):
                for family, width in ((Family.IPV4, 24), (Family.IPV6, 64)):
                    self._run(
                        [
                            "ip",
                            "-n",
                            name,
                            "addr",
                            "add",
                            f"{addresses[family][number]}/{width}",
                            "dev",
                            cable,
                            *(["nodad"] if width == 64 else ["brd", "+"]),
                        ]
                    )
                self._run(["ip", "-n", name, "link", "set", cable, "up"])
        for setting in (
            "netfilter.nf_conntrack_tcp_be_liberal=1",
            "ipv4.conf.all.accept_local=1",
            "ipv4.conf.all.rp_filter=0",
            "ipv4.icmp_echo_ignore_broadcasts=0",
        ):
            self.at_host(["sysctl", "-qw", f"net.{setting}"])
        self.at_host(["nft", "-f", "-"], _marker())
        for cable in CABLES:
            link = json.loads(self._run(["ip", "-j", "-n", self.host, "link", "show", cable]))[0]
            self._hardware[cable] = bytes.fromhex(link["address"].replace(":", ""))
            self._sockets[cable] = self.inside(self.peer, lambda name=cable: _raw(name))
        self._hardware["lo"] = bytes(6)
        self._sockets["lo"] = self.inside(self.host, lambda: _raw("lo"))

    def keep(self, *sockets: socket.socket) -> None:
        """Close these at the end."""
        self._kept += sockets

    def silence(self) -> None:
        """From now on, the host sends nothing, so that no reply is mistaken for a packet of a test."""
        self.at_host(["nft", "chain inet marker silence { policy drop; }"])

    def load(self, backend: str, family: Family, text: str) -> None:
        """Replace the host's filter table."""
        self.at_host([f"{family.command}-{backend}-restore"], text)

    def send(self, frames: Sequence[Frame]) -> None:
        """Send each over the cable of its interface."""
        for frame in frames:
            name = frame.packet.in_interface
            source = b"\x02\0\0\0\0\x01" if name in CABLES else bytes(6)
            self._sockets[name].send(ethernet(frame, self._hardware[name], source))

    def verdicts(self, family: Family, count: int) -> dict[str, set[int]]:
        """The numbers of the packets by state and direction, and of those accepted. Empties all sets.

        Waits, for a limited time, until ``count`` packets have arrived or no more do.
        """
        deadline = time.monotonic() + _WAIT
        quiet = 0
        before = -1
        while True:
            found = self._sets(family)
            arrived = sum(len(found[state]) for state in STATES)
            quiet = quiet + 1 if arrived == before else 0
            before = arrived
            if arrived >= count or quiet >= 8 or time.monotonic() > deadline:
                break
        number = 4 if family is Family.IPV4 else 6
        commands = [f"flush set inet marker {name}{number}" for name in found]
        self.at_host(["nft", "-f", "-"], "\n".join(commands) + "\n")
        return found

    def _sets(self, family: Family) -> dict[str, set[int]]:
        number = "4" if family is Family.IPV4 else "6"
        listed = json.loads(self.at_host(["nft", "-j", "list", "sets", "inet"]))["nftables"]
        sets = [entry["set"] for entry in listed if "set" in entry and entry["set"]["name"].endswith(number)]
        return {entry["name"][:-1]: set(entry.get("elem", ())) for entry in sets}

    def at_host(self, command: Sequence[str], text: str = "") -> str:
        """Run a command in the host's namespace."""
        return self._run(["nsenter", f"--net=/run/netns/{self.host}", *command], text)

    def inside(self, name: str, action: Callable[[], T]) -> T:
        """Call a function in a namespace; sockets that it opens stay there."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{name}") as there:
            if libc.setns(there.fileno(), 0):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                return action()
            finally:
                libc.setns(home.fileno(), 0)

    @staticmethod
    def _run(command: Sequence[str], text: str = "") -> str:
        done = subprocess.run(command, input=text, text=True, capture_output=True, timeout=30, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}\n{text}")
        return done.stdout


def _raw(name: str) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    opened.bind((name, 0))
    return opened

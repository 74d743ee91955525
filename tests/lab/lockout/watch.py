"""Logs in every second, each time over a new connection, and measures for how long that fails."""

import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from local.lab.api import LabHost

PERIOD = 1.0
CONNECT = 1.0
"""Seconds for the TCP connection, which is as fast on a busy machine as on an idle one."""
LOGIN = 20.0
"""Seconds for the rest of a login before it counts as failed: generous, because the machine may be busy."""

LONGEST = 60.0


@dataclass
class Watch:
    """Log in as `user` at `address` of `host`, through `via` if given, and become root, until the block ends.

    `with watch.excused():` for times when the network or the host is down.
    """

    host: LabHost
    address: str
    user: str
    via: LabHost | None = None
    _more: threading.Condition = field(default_factory=threading.Condition)
    _ended: threading.Event = field(default_factory=threading.Event)
    _attempts: list[tuple[float, float, bool]] = field(default_factory=list)
    _excused: list[tuple[float, float]] = field(default_factory=list)

    def __enter__(self) -> "Watch":
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(60)

    @contextmanager
    def excused(self) -> Iterator[None]:
        """Ignore logins tried meanwhile."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._excused.append((begun, time.monotonic()))

    def one_more(self) -> None:
        """Wait for the success of a login that starts after this call."""
        begun = time.monotonic()
        with self._more:
            there = self._more.wait_for(lambda: any(at > begun and worked for at, _, worked in self._attempts), LONGEST)
        assert there, "nobody gets in any more"

    @property
    def logins(self) -> int:
        """The number of successful logins."""
        return sum(worked for _, _, worked in self._attempts)

    @property
    def lost(self) -> float:
        """The longest time from the start of a failed login to the start of the next successful one, in seconds."""
        longest, since = 0.0, None
        for begun, ended, worked in self._attempts:
            if any(begun < until and ended > start for start, until in self._excused):
                since = None
            elif since is not None and worked:
                longest, since = max(longest, begun - since), None
            elif since is not None:
                longest = max(longest, ended - since)
            elif not worked:
                since = begun
        return longest

    def _watch(self) -> None:
        while True:
            begun = time.monotonic()
            worked = self._login()
            with self._more:
                self._attempts.append((begun, time.monotonic(), worked))
                self._more.notify_all()
            if self._ended.wait(max(0.0, begun + PERIOD - time.monotonic())):
                return

    def _login(self) -> bool:
        if self.via is None:
            try:
                socket.create_connection((self.address, self.host.port), CONNECT).close()
            except OSError:
                return False
        become = "" if self.user == "root" else "sudo -n "
        look = "sh -c 'test -w /etc/shadow && echo in'"
        argv = [*_ssh(self.host, f"{self.user}@{self.address}", "-n"), become + look]
        if self.via is not None:
            jump = shlex.join(_ssh(self.via, f"root@{self.via.ipv4}", "-W", f"[{self.address}]:{self.host.port}"))
            argv[1:1] = ["-o", f"ProxyCommand={jump}"]
        try:
            return subprocess.run(argv, capture_output=True, timeout=LOGIN, check=False).stdout == b"in\n"
        except subprocess.TimeoutExpired:
            return False


def _ssh(host: LabHost, target: str, *more: str) -> list[str]:
    options = ("BatchMode=yes", f"UserKnownHostsFile={host.known_hosts}")
    known = [part for option in options for part in ("-o", option)]
    return ["ssh", "-F", "none", "-i", str(host.key_file), *known, *more, target]

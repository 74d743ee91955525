"""Connections that carry data: each sends numbered lines and receives them back."""

import selectors
import socket
import threading
import time
from dataclasses import dataclass, field

from local.lab.api import LabHost

PACE = 0.05
"""Seconds between two lines."""
LINE = 4096
"""Bytes in a line."""
LONGEST = 60.0


_SOCKET = "[Socket]\nListenStream={port}\nAccept=yes\n"
_SERVICE = "[Service]\nExecStart=/bin/cat\nStandardInput=socket\nStandardOutput=socket\n"


def echo(host: LabHost, *ports: int) -> None:
    """Let the host echo what it receives on `ports`, until it is shut down."""
    units = "/run/systemd/system"
    for port in ports:
        host.exec(f"cat >{units}/echo{port}.socket", input=_SOCKET.format(port=port))
        host.exec(f"cat >{units}/echo{port}@.service", input=_SERVICE)
    host.exec(["systemctl", "daemon-reload"])
    host.exec(["systemctl", "start", *(f"echo{port}.socket" for port in ports)])


@dataclass
class _Line:
    """One connection."""

    sock: socket.socket
    sent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)
    arrivals: list[float] = field(default_factory=list)
    broken: str = ""


class Traffic:
    """Connections to `port`s of the host. After the block: `broken`, `received`, `longest_gap`."""

    def __init__(self, host: LabHost, *ports: int) -> None:
        self._lines = [_Line(socket.create_connection((host.ipv4, port), 10)) for port in ports]
        self._ended = threading.Event()
        self._more = threading.Condition()
        self._thread = threading.Thread(target=self._carry)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        self.await_lines(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(LONGEST)
        for line in self._lines:
            line.sock.close()

    def await_lines(self, count: int) -> None:
        """Wait for ``count`` more lines on each connection."""
        with self._more:
            wanted = [len(line.arrivals) + count for line in self._lines]
            self._more.wait_for(
                lambda: all(
                    len(line.arrivals) >= n or line.broken for line, n in zip(self._lines, wanted, strict=True)
                ),
                LONGEST,
            )

    @property
    def broken(self) -> list[str]:
        """Descriptions of connections that ended, or lost or changed a byte."""
        return [
            line.broken or "other bytes came back"
            for line in self._lines
            if line.broken or not line.sent.startswith(line.received)
        ]

    @property
    def received(self) -> int:
        """Bytes received on all connections."""
        return sum(len(line.received) for line in self._lines)

    @property
    def longest_gap(self) -> float:
        """The longest time between two arrivals on one connection, in seconds, including silence at the end."""
        return max(
            later - earlier
            for line in self._lines
            for earlier, later in zip(line.arrivals, [*line.arrivals[1:], self._until], strict=True)
        )

    def _carry(self) -> None:
        selector = selectors.DefaultSelector()
        for line in self._lines:
            line.sock.setblocking(False)
            selector.register(line.sock, selectors.EVENT_READ, line)
        number, due = 0, time.monotonic()
        while not self._ended.is_set():
            if time.monotonic() >= due:
                number, due = number + 1, due + PACE
                for line in self._lines:
                    self._send(line, (b"line %d" % number).ljust(LINE - 1, b".") + b"\n")
            for key, _ in selector.select(max(0.0, due - time.monotonic())):
                if not self._receive(key.data):
                    selector.unregister(key.data.sock)
        self._until = time.monotonic()

    def _send(self, line: _Line, data: bytes) -> None:
        if line.broken:
            return
        try:
            sent = line.sock.send(data)
            line.sent += data[:sent]
        except BlockingIOError:
            pass  # its buffer is full: the gap shows it
        except OSError as error:
            line.broken = str(error)

    def _receive(self, line: _Line) -> bool:
        try:
            data = line.sock.recv(65536)
        except OSError as error:
            line.broken, data = str(error), b""
        if not data:
            line.broken = line.broken or "the host hung up"
        with self._more:
            line.received += data
            line.arrivals += [time.monotonic()] if data else []
            self._more.notify_all()
        return bool(data)

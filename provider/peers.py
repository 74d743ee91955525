"""Checks who connects to our port on loopback: any user of the machine can, but only our own processes are served.

The kernel shows who owns the socket at the other end (proc(5), /proc/net/tcp). Where it does not, as on macOS, all are
served, as with Pulumi's own plugins.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc

_TABLE = Path("/proc/net")
_PEER = re.compile(r"ipv[46]:(?:127\.0\.0\.1|%5B::1%5D|\[::1\]):(\d+)")
_ESTABLISHED = "01"
_KNOWN_FOR = 1.0
"""Seconds before a peer is looked up again: a freed port may go to another user."""


class OnlyOurs(grpc.ServerInterceptor):  # type: ignore[misc]
    """Rejects calls from other users of this machine, except root. `port`: the one that is served."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._known: dict[str, float] = {}

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """See grpc."""
        handler = continuation(details)
        if handler is None:
            return None
        calls = {
            name: self._guarded(call)
            for name in ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
            if (call := getattr(handler, name)) is not None
        }
        return handler._replace(**calls)

    def _guarded(self, call: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def guarded(request: Any, context: Any) -> Any:
            if not self._ours(context.peer()):
                context.abort(grpc.StatusCode.PERMISSION_DENIED, "this port answers the user alone who runs Pulumi")
            return call(request, context)

        return guarded

    def _ours(self, peer: str) -> bool:
        now = time.monotonic()
        if now < self._known.get(peer, 0.0):
            return True
        owner = owner_of(peer, self.port)
        if owner is not None and owner not in (0, os.geteuid()):
            return False
        self._known[peer] = now + _KNOWN_FOR
        return True


def owner_of(peer: str, served: int) -> int | None:
    """Return the user who owns the other end of a connection, in gRPC's notation, to the port `served`.

    None if the kernel does not show the connection, -1 if it shows the connection but no owner of its other end.
    """
    found = _PEER.fullmatch(peer)
    if not found:
        return -1 if _TABLE.is_dir() else None
    port, seen = int(found[1]), False
    for local, remote, state, owner, inode in _rows():
        # one port may have connections to several others, so both ends count
        if (local, remote) == (port, served) and state == _ESTABLISHED and inode != "0":
            return int(owner)
        seen = seen or (local, remote) == (served, port)
    return -1 if seen else None


def _rows() -> Iterator[tuple[int, int, str, str, str]]:
    """Yield the connections on loopback: both ports, the state, the user and the inode of the socket."""
    for name in ("tcp", "tcp6"):
        try:
            lines = (_TABLE / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            (host, local), (_, remote) = (word.split(":") for word in words[1:3])
            if host.endswith(("0100007F", "01000000")):
                yield int(local, 16), int(remote, 16), words[3], words[7], words[9]

"""The life cycle of a plugin process: it prints its port, serves, and ends when its engine asks it to or is gone."""

import os
import signal
import stat
import sys
import threading
from concurrent import futures
from typing import NoReturn

import grpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import ResourceProviderServicer, provider_pb2_grpc

from provider.peers import OnlyOurs

THREADS = 256
"""Operations served in parallel: the limit should be the engine's `--parallel`, not this process."""
GRACE = 900.0
"""Seconds that operations in flight may take after the engine has asked us to end."""


def serve(servicer: ResourceProviderServicer, threads: int = THREADS) -> None:
    """Serve this user on a free loopback port until ended; print the port on stdout, as in the plugin protocol.

    `threads`: operations served in parallel.
    """
    pool = futures.ThreadPoolExecutor(max_workers=threads)
    callers = OnlyOurs()
    server = grpc.server(pool, interceptors=[callers], options=_GRPC_CHANNEL_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = callers.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # the signals with which the CLI ends its plugins
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=_wait_for_engine, args=(ended,), daemon=True).start()
    ended.wait()
    server.stop(grace=GRACE).wait()  # a change in flight is completed: half a change helps nobody


def end() -> NoReturn:
    """End this process, after its connections."""
    connections = getattr(sys.modules.get("hosts.pool"), "connection_pool", None)
    if connections is not None:  # the module is loaded, and not only being loaded
        connections().close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # nothing is left to do, and the interpreter's shutdown took a third of a second


def _wait_for_engine(ended: threading.Event) -> None:
    """End with the engine, even if it was killed: this closes our standard input."""
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        while os.read(0, 4096):
            pass
        ended.set()

"""The life cycle of a plugin process: it prints its port, serves, and ends when its engine asks it to or is gone."""

import os
import signal
import stat
import sys
import threading
from concurrent import futures

import grpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import ResourceProviderServicer, provider_pb2_grpc

from provider.peers import OnlyOurs

GRACE = 900.0
"""Seconds that operations in flight may take after the engine has asked us to end."""


def serve(servicer: ResourceProviderServicer, threads: int) -> None:
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


def _wait_for_engine(ended: threading.Event) -> None:
    """End with the engine, even if it was killed: this closes our standard input."""
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        while os.read(0, 4096):
            pass
        ended.set()

"""How a plugin process lives: it tells its port, serves, and ends when its engine wants it to or is gone."""

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
"""Seconds that operations in flight may take to end once the engine wants us to."""


def serve(servicer: ResourceProviderServicer, threads: int) -> None:
    """Serve on a free loopback port, which is printed on stdout as the plugin protocol wants, until ended; for this
    user alone.

    `threads`: operations served at once.
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
    for number in (signal.SIGINT, signal.SIGTERM):  # how the CLI ends its plugins
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=_wait_for_engine, args=(ended,), daemon=True).start()
    ended.wait()
    server.stop(grace=GRACE).wait()  # a change in flight is finished: half of one helps nobody


def _wait_for_engine(ended: threading.Event) -> None:
    """End with the engine, also where it was killed: its end of our standard input closes with it."""
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        while os.read(0, 4096):
            pass
        ended.set()

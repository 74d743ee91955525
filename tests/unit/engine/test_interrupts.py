"""Ctrl-C works even if the main thread is blocked, and interrupted operations stay in the state as begun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from local.engine.run.interrupts import SIGNALS, heard
from local.engine.run.removal import Remover
from local.engine.state.backend import Backend, Writer
from local.engine.state.ledger import StateJournal
from local.engine.state.state import Encoder, Resource, Snapshot

from .crypter import CRYPTER

TIME_LIMIT = 20.0


def test_a_signal_is_heard_though_the_main_thread_never_wakes_up() -> None:
    """The kernel may deliver it to another thread, so that nothing ends the main thread's wait for a process."""
    before = [signal.getsignal(number) for number in SIGNALS]
    heard_of: list[str] = []
    waits_in = Path(f"/proc/self/task/{threading.get_native_id()}/wchan")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        assert child.stdin

        def interrupt() -> None:
            limit = time.monotonic() + TIME_LIMIT
            while waits_in.read_text() != "do_wait":
                assert time.monotonic() < limit, "the main thread does not wait for the process"
                time.sleep(0.01)
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)

        def first() -> None:
            heard_of.append("first")
            threading.Thread(target=interrupt).start()

        def again() -> None:
            heard_of.append("again")
            os.close(child.stdin.fileno())  # type: ignore[union-attr]  # which ends it

        limit = threading.Timer(TIME_LIMIT, child.kill)
        limit.start()
        with heard(first, again):
            threading.Thread(target=interrupt).start()
            status = child.wait()
        limit.cancel()
        child.stdin = None
    assert heard_of == ["first", "again"]
    assert status == 0
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_run_that_is_given_up_writes_no_end_of_what_was_in_flight(tmp_path: Path) -> None:
    backend = Backend(tmp_path, "p", "s")
    ledger = StateJournal(Snapshot())
    writer = Writer(backend, Encoder(CRYPTER), ledger.snapshot)
    ledger.connect(writer.offer, writer.wait)
    token = ledger.begin(Resource(urn="urn:pulumi:s::p::t::new", custom=True, type="t"), "creating")
    writer.abandon()
    ledger.end(token)  # its provider was killed
    for thread in threading.enumerate():
        if thread.name == "state writer":
            thread.join(TIME_LIMIT)
            assert not thread.is_alive()
    assert [item["type"] for item in backend.read()["pending_operations"]] == ["creating"]


def test_those_that_wait_for_what_is_in_flight_do_not_wait_for_each_other() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # to provoke the race
    try:
        for _ in range(10):
            remover = Remover(preview=False, parallel=200, ledger=None, providers=None, sink=None)  # type: ignore[arg-type]
            threads = [threading.Thread(target=remover.drain, daemon=True) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(TIME_LIMIT)
                assert not thread.is_alive()
    finally:
        sys.setswitchinterval(interval)

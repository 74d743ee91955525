"""Handles Ctrl-C and SIGTERM at once, whatever the main thread is waiting for."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def heard(first: Callable[[], None], again: Callable[[], None]) -> Iterator[None]:
    """Call `first` at the first signal and `again` at each later one, even if `first` is still running.

    Both are called in other threads. A Python signal handler would run in the main thread, between two instructions: a
    signal that arrives as the thread starts waiting for a process would not be handled until the process ends.
    Does nothing outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    listener = threading.Thread(target=_listen, args=[reader, first, again], name="interrupts", daemon=True)
    listener.start()
    fd_before = signal.set_wakeup_fd(writer)
    before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(fd_before)
        os.close(writer)
        listener.join()


def _listen(reader: int, first: Callable[[], None], again: Callable[[], None]) -> None:
    with open(reader, "rb", buffering=0) as signals:
        if signals.read(1):
            threading.Thread(target=first, name="cancelling", daemon=True).start()
        while signals.read(1):
            again()

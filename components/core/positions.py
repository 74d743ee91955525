"""Leaves out source positions, which are the same line for every host."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_places() -> Iterator[None]:
    """Declare resources without the stack trace that the SDK takes of each.

    The traces are most of what the Pulumi CLI writes to the state, which it rewrites at each step. The SDK looks for
    the resource's constructor in `traceback.extract_stack`, which honours `sys.tracebacklimit`, and sends no trace if
    it finds none.
    """
    before = vars(sys).get("tracebacklimit")
    sys.tracebacklimit = 1
    try:
        yield
    finally:
        if before is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = before

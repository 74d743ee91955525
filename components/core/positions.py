"""Where a resource is declared is not recorded: it is the same line for every host."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_places() -> Iterator[None]:
    """Declare resources without the stack trace that the SDK takes of each.

    They are most of what the Pulumi CLI writes into the state, which it writes anew at each step. The SDK looks for the
    constructor of the resource in `traceback.extract_stack`, which heeds `sys.tracebacklimit`, and sends no trace where
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

"""The SDK does not send the source positions of resources."""

import sys

from pulumi.runtime.resource import _get_stack_trace

from components.core.positions import without_places


class Base:
    def __init__(self) -> None:
        self.frames = len(_get_stack_trace().frames)


class Custom(Base):
    def __init__(self) -> None:
        super().__init__()


class Ruleset(Custom):
    """As deep as a resource of the SDK, which looks for the third constructor."""

    def __init__(self) -> None:
        super().__init__()


def test_no_stack_trace_is_sent() -> None:
    assert Ruleset().frames > 0
    with without_places():
        assert Ruleset().frames == 0
    assert Ruleset().frames > 0


def test_a_limit_that_somebody_else_has_set_comes_back() -> None:
    sys.tracebacklimit = 7
    try:
        with without_places():
            pass
        assert sys.tracebacklimit == 7
    finally:
        del sys.tracebacklimit

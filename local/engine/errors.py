"""Errors that end a run with one sentence to the user."""

from hosts.text.masking import printable

FAILURE, BAD_COMMAND, NO_STACK, CHANGES = 1, 2, 6, 7
"""Exit statuses, the same as the CLI's (sdk/go/common/util/cmdutil/exit.go)."""


class EngineError(Exception):
    """Something the user can fix; its text is the whole message."""

    status = FAILURE

    def __init__(self, text: str = "") -> None:
        super().__init__(printable(text))


class CommandError(EngineError):
    """An invalid command line."""

    status = BAD_COMMAND


class NoStackError(EngineError):
    """The stack does not exist."""

    status = NO_STACK


class UnsupportedError(EngineError):
    """The program or project needs something that only the Pulumi CLI supports."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is not supported by the embedded engine; install the Pulumi CLI and run `pulumi` instead"
        )

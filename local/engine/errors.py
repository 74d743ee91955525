"""Errors that end a run with one sentence for the user."""

from hosts.text.masking import printable

FAILURE, BAD_COMMAND, NO_STACK, CHANGES = 1, 2, 6, 7
"""Exit statuses, the same as the CLI's (sdk/go/common/util/cmdutil/exit.go)."""


class EngineError(Exception):
    """Something the user can mend; its text is the whole message."""

    status = FAILURE

    def __init__(self, text: str = "") -> None:
        super().__init__(printable(text))


class CommandError(EngineError):
    """A command line that cannot be carried out."""

    status = BAD_COMMAND


class NoStackError(EngineError):
    """The stack is not there."""

    status = NO_STACK


class UnsupportedError(EngineError):
    """The program or project asks for something that only the Pulumi CLI does."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is not supported by the embedded engine; install the Pulumi CLI and run `pulumi` instead"
        )

"""Errors that end a run with one sentence for the user."""


class EngineError(Exception):
    """Something the user can mend; its text is the whole message."""


class UnsupportedError(EngineError):
    """The program or project asks for something that only the Pulumi CLI does."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is not supported by the embedded engine; install the Pulumi CLI and run `pulumi` instead"
        )

"""Why an operation cannot be done."""


class Failure(Exception):  # noqa: N818
    """An operation that cannot be done, for a reason the user can mend; the message is all that is shown."""

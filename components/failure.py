"""Why an operation cannot be done."""


class Failure(Exception):  # noqa: N818
    """An operation that cannot be done, for a reason that the user can fix. Only the message is shown."""

"""The one error that users of the lab see."""


class LabError(Exception):
    """Something a user can mend; the message is one sentence that says what and how. Printed without a traceback."""


class NotToBeHad(LabError):  # noqa: N818
    """A variant cannot be made, since the packages for it cannot be downloaded now."""

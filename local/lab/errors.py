"""The errors that users of the lab see."""


class LabError(Exception):
    """Something the user can fix; the message is one sentence that says what and how. Printed without a traceback."""


class NotToBeHad(LabError):  # noqa: N818
    """A variant cannot be built because its packages cannot be downloaded now."""

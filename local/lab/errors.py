"""The one error that users of the lab see."""


class LabError(Exception):
    """Something a user can mend; the message is one sentence that says what and how. Printed without a traceback."""

"""The operator's own files that a stack config names: keys and known_hosts.

They may be outside of the project. A run that previews somebody else's proposal does not read those.
"""

import os

from pulumi.runtime import is_dry_run

from hosts.ssh.connection import resolve
from hosts.text.projectfiles import inside
from hosts.text.textfiles import BadFile, read_text

REVIEW = "STOCKADE_REVIEW"
"""Set by .ci/preview: the config is a proposed change, and the output is published."""
_ELSEWHERE = (
    "is outside the project, and such files are not read in CI, where a change is reviewed: put the public key into "
    "the project, or into `keys` as text"
)


def elsewhere(path: str) -> bool:
    """Return whether this run must not open the file."""
    reviewing = os.environ.get(REVIEW) or (os.environ.get("CI") and is_dry_run())
    return bool(reviewing) and inside(resolve(path)) is None


def read_own(path: str) -> str:
    """Return the text of a file with public keys. Raises BadFile, also if this run must not open the file."""
    file = resolve(path)
    if elsewhere(path):
        raise BadFile(f"{file} {_ELSEWHERE}")
    return read_text(file)

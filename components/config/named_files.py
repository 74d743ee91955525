"""The operator's own files that a stack config names: keys, known_hosts.

They may be outside of the project, and are not read there in a run that previews what somebody else proposes.
"""

import os

from pulumi.runtime import is_dry_run

from hosts.ssh.connection import resolve
from hosts.text.projectfiles import inside
from hosts.text.textfiles import BadFile, read_text

REVIEW = "STOCKADE_REVIEW"
"""Set by .ci/preview: the config is somebody's proposal, and what is printed is published."""
_ELSEWHERE = (
    "is outside the project, and such files are not read in CI, where a change is reviewed: put the public key into "
    "the project, or into `keys` as text"
)


def elsewhere(path: str) -> bool:
    """Tell whether a file is not to be looked at in this run."""
    reviewing = os.environ.get(REVIEW) or (os.environ.get("CI") and is_dry_run())
    return bool(reviewing) and inside(resolve(path)) is None


def read_own(path: str) -> str:
    """Return the text of a file with public keys. Raises BadFile, also for one that is not to be looked at."""
    file = resolve(path)
    if elsewhere(path):
        raise BadFile(f"{file} {_ELSEWHERE}")
    return read_text(file)

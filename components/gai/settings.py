"""Text of gai.conf(5), and the inputs and facts about it. Pure."""

import re

from components.core.chapter import ChapterInputs, Model
from hosts.system.files import FileState

FILE = "/etc/gai.conf"
LINE = "precedence ::ffff:0:0/96  100"

_ACTIVE = re.compile(r"^[ \t]*precedence[ \t]+::ffff:0:0/96[ \t]+(\d+)[ \t]*(#.*)?$", re.M)
_COMMENTED = re.compile(r"^#[ \t]*(precedence[ \t]+::ffff:0:0/96[ \t]+100)[ \t]*$", re.M)


def prefers_ipv4(text: str) -> bool:
    """Return whether the last rule for IPv4 addresses in a gai.conf gives them precedence."""
    found: list[tuple[str, str]] = _ACTIVE.findall(text)
    return bool(found) and int(found[-1][0]) >= 100


def with_ipv4_first(text: str) -> str:
    """Return a gai.conf with the line uncommented, or added if missing, and other rules for IPv4 commented out."""
    if prefers_ipv4(text):
        return text
    text = _ACTIVE.sub(lambda match: "#" + match[0], text)
    changed, count = _COMMENTED.subn(lambda match: match[1], text, count=1)
    if count:
        return changed
    return (text if not text or text.endswith("\n") else text + "\n") + LINE + "\n"


def without_ipv4_first(text: str) -> str:
    """Return a gai.conf that others edited since, with that line commented out."""
    return _ACTIVE.sub(lambda match: "#" + match[0], text)


class PreferenceInputs(ChapterInputs):
    """Inputs of `AddressPreference`. `ipv4_first`: try a name's IPv4 addresses first; if false, the file is left
    unchanged."""

    ipv4_first: bool = True


class PreferenceFacts(Model):
    """What was observed on the host.

    `file`: gai.conf.
    """

    file: FileState = FileState(FILE, False)

    @property
    def text(self) -> str:
        """The file's content."""
        return self.file.unpacked().content

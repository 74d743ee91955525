"""`AddressPreference`: names are tried over IPv4 first, for a host that denies IPv6.

Otherwise apt and others wait for each IPv6 attempt to fail. Source: the guide, "Configure a Firewall": "uncomment the
line `precedence ::ffff:0:0/96 100` in /etc/gai.conf"; gai.conf(5), RFC 6724.
"""

import re
from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions

from components.core.chapter import STALE, Chapter, ChapterInputs, KnownState, Model
from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from hosts.shell import Answer, Script
from hosts.system.files import FILE_EXITS, RESTORE_FILE, SHOW_FILE, WRITE_FILE, FileState, file_state

FILE = "/etc/gai.conf"
LINE = "precedence ::ffff:0:0/96  100"

_ACTIVE = re.compile(r"^[ \t]*precedence[ \t]+::ffff:0:0/96[ \t]+(\d+)[ \t]*(#.*)?$", re.M)
_COMMENTED = re.compile(r"^#[ \t]*(precedence[ \t]+::ffff:0:0/96[ \t]+100)[ \t]*$", re.M)


def prefers_ipv4(text: str) -> bool:
    """Tell whether the last rule for IPv4 addresses in a gai.conf puts them first."""
    found: list[tuple[str, str]] = _ACTIVE.findall(text)
    return bool(found) and int(found[-1][0]) >= 100


def with_ipv4_first(text: str) -> str:
    """Return a gai.conf with the line uncommented, or added where it is not there; other rules for it commented out."""
    if prefers_ipv4(text):
        return text
    text = _ACTIVE.sub(lambda match: "#" + match[0], text)
    changed, count = _COMMENTED.subn(lambda match: match[1], text, count=1)
    if count:
        return changed
    return (text if not text or text.endswith("\n") else text + "\n") + LINE + "\n"


def without_ipv4_first(text: str) -> str:
    """Return a gai.conf, edited by others since, with that line commented out."""
    return _ACTIVE.sub(lambda match: "#" + match[0], text)


class PreferenceInputs(ChapterInputs):
    """Inputs of `AddressPreference`. `ipv4_first`: names are tried over IPv4 first; else the file stays as it is."""

    ipv4_first: bool = True


class PreferenceFacts(Model):
    """What a host shows: the file."""

    file: FileState = FileState(FILE, False)

    @property
    def text(self) -> str:
        """The file's content."""
        return self.file.unpacked().content


Seen = KnownState[PreferenceInputs, PreferenceFacts]

_FRESH = """\
if [ "$(cat "$path" 2>/dev/null && echo .)" != "$(printf '%b' "$expected_content" && echo .)" ]; then
    [ -z "$expected_mode" ] && [ ! -e "$path" ] || exit 75
fi
"""
_WRITE = f"""\
{WRITE_FILE}
{_FRESH}
write_file "$path" "$mode" "$owner" "$group" "$content"
"""
_RESTORE = f"""\
{RESTORE_FILE}
{_FRESH}
restore_file prior "$path"
"""


class PreferenceChapter(Chapter[PreferenceInputs, PreferenceFacts]):
    """Which addresses of a name a host tries first."""

    inputs = PreferenceInputs
    facts = PreferenceFacts

    def title(self, inputs: PreferenceInputs) -> str:
        return "address preference"

    def observe(self, inputs: PreferenceInputs) -> Script:
        return Script("read gai.conf", f'{SHOW_FILE}\nshow_file file "$path"', {"path": FILE}, exits=FILE_EXITS)

    def parse(self, inputs: PreferenceInputs, answer: Answer) -> PreferenceFacts:
        return PreferenceFacts(file=file_state(answer.sections, "file").packed())

    def apply(self, inputs: PreferenceInputs, known: Seen) -> Script:
        if not known.before:
            return Script("read gai.conf first", f"exit {STALE}")
        if not inputs.ipv4_first:
            return self.restore(inputs, known)
        return _written(known.before, with_ipv4_first(known.before.text))

    def restore(self, inputs: PreferenceInputs, known: Seen) -> Script:
        now, prior = known.before or PreferenceFacts(), known.prior or known.before or PreferenceFacts()
        if now.text not in (with_ipv4_first(prior.text), prior.text):  # others changed more than we did
            return _written(now, now.text if prefers_ipv4(prior.text) else without_ipv4_first(now.text))
        values = {"path": FILE, **_expected(now), **prior.file.unpacked().values("prior")}
        return Script("put gai.conf back", _RESTORE, values, exits=FILE_EXITS)

    def differences(self, inputs: PreferenceInputs, seen: PreferenceFacts) -> str:
        met = prefers_ipv4(seen.text) or not inputs.ipv4_first
        return "" if met else f"{FILE} does not put IPv4 first"

    def as_observed(self, inputs: PreferenceInputs, known: Seen, seen: PreferenceFacts) -> PreferenceInputs:
        return inputs.model_copy(update={"ipv4_first": inputs.ipv4_first and prefers_ipv4(seen.text)})

    def already_configured(self, inputs: PreferenceInputs, seen: PreferenceFacts) -> str:
        return f"{FILE} puts IPv4 first already" if prefers_ipv4(seen.text) else ""


class PreferenceProvider(HostProvider[PreferenceInputs, PreferenceFacts]):
    """Pulumi's CRUD for `AddressPreference`."""

    chapter = PreferenceChapter()


class AddressPreference(HostResource, module="stockade", name="AddressPreference"):
    """Names are tried over IPv4 first on one host. Properties: those of `PreferenceInputs`."""

    ipv4_first: Output[bool]
    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(PreferenceProvider(), name, {**props, "observed": None}, opts)


def _expected(seen: PreferenceFacts) -> dict[str, str]:
    return seen.file.unpacked().values("expected")


def _written(now: PreferenceFacts, text: str) -> Script:
    file = now.file
    mode, owner, group = (file.mode, file.owner, file.group) if file.exists else ("644", "root", "root")
    values = {"path": FILE, "mode": mode, "owner": owner, "group": group, "content": text, **_expected(now)}
    return Script("edit gai.conf", _WRITE, values, exits=FILE_EXITS)

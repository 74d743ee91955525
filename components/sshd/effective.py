"""The settings of sshd as lines, and the output of `sshd -T`: pure, for `components/sshd/chapter.py`.

Values are compared as the host's own sshd prints them, never as written ("2m", "VERBOSE", "+aes256-ctr"): `sshd -T` of
only the declared lines against `sshd -T` of the whole configuration. Source: sshd_config(5), sshd(8).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

_CUMULATIVE = """
acceptenv allowgroups allowusers denygroups denyusers hostcertificate hostkey listenaddress port subsystem
"""
_LISTED = """
casignaturealgorithms ciphers hostbasedacceptedalgorithms hostbasedacceptedkeytypes hostkeyalgorithms kexalgorithms macs
pubkeyacceptedalgorithms pubkeyacceptedkeytypes
"""
_MATCHABLE = """
allowagentforwarding allowstreamlocalforwarding allowtcpforwarding authenticationmethods authorizedkeyscommand
authorizedkeyscommanduser authorizedkeysfile authorizedprincipalscommand authorizedprincipalscommanduser
authorizedprincipalsfile banner chrootdirectory clientalivecountmax clientaliveinterval forcecommand gatewayports
gssapiauthentication hostbasedauthentication ipqos kbdinteractiveauthentication kerberosauthentication maxauthtries
maxsessions passwordauthentication permitemptypasswords permitlisten permitopen permitrootlogin permittty permittunnel
permituserrc pubkeyauthentication rekeylimit revokedkeys streamlocalbindmask streamlocalbindunlink trustedusercakeys
x11displayoffset x11forwarding x11uselocalhost
"""
CUMULATIVE = frozenset(_CUMULATIVE.split())
"""Keywords of which every line takes effect. For all others, only the first does."""
LISTED = frozenset(_LISTED.split())
"""Keywords whose value is a comma-separated list."""
MATCHABLE = frozenset(_MATCHABLE.split())
"""First-value keywords allowed in a Match block by every OpenSSH since 7.4."""

_FORMER_NAMES = {
    "challengeresponseauthentication": "KbdInteractiveAuthentication",
    "skeyauthentication": "KbdInteractiveAuthentication",
}
_NAMES = frozenset({"acceptenv", "allowgroups", "allowusers", "denygroups", "denyusers"})
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9]*)\s+(\S.*)")
_PORT_IN_ADDRESS = re.compile(r"\[.*\]:\d+|[^:]*:\d+")
_PORT = re.compile(r":[0-9]*$")
_LISTENS = re.compile(r"^listenaddress .*:([0-9]+)", re.M)
_STREAM = re.compile(r":([0-9]+) \(Stream\)$", re.M)

Value = str | int | bool | Sequence[str | int] | None


@dataclass(frozen=True)
class SettingLine:
    """One line of sshd_config, with `keyword` as the user spelled it."""

    keyword: str
    value: str

    @property
    def key(self) -> str:
        """Identifies what a line sets: the keyword, and the name of a subsystem."""
        name = self.keyword.lower()
        return f"{name} {self.value.split()[0]}" if name == "subsystem" else name

    def __str__(self) -> str:
        return f"{self.keyword} {self.value}"


def from_settings(settings: Mapping[str, Value]) -> str:
    """Write keywords and values as lines, in canonical form. Raises ValueError for what sshd_config cannot
    represent."""
    return canonical(
        "\n".join(f"{keyword} {value}" for keyword, given in settings.items() for value in _values(keyword, given))
    )


def canonical(text: str) -> str:
    """Return the lines of `text` validated, with one space after the keyword, sorted, with a final newline.

    Raises ValueError that names the line: Match and Include, a duplicate keyword, an invalid port.
    """
    rows = (row.replace("\t", " ").strip() for row in text.splitlines())
    lines = [line for row in rows if row and not row.startswith("#") for line in _apart(_checked(row))]
    seen: set[str] = set()
    for line in lines:
        if line.key in seen and (line.key not in CUMULATIVE):
            raise ValueError(f"{line.keyword} is given twice; sshd would use the first")
        seen.add(line.key)
    return "".join(f"{line}\n" for line in sorted(dict.fromkeys(lines), key=lambda line: line.key))


def row(text: str) -> SettingLine:
    """Parse one line of `canonical` or of `sshd -T`, which prints an empty value as a keyword without value."""
    keyword, _, rest = text.partition(" ")
    return SettingLine(keyword, rest.strip() or "none")


def parse(text: str) -> tuple[SettingLine, ...]:
    """Parse the output of `canonical`."""
    return tuple(map(row, text.splitlines()))


def written(text: str) -> str:
    """Return the lines for the head of sshd's configuration, where the first value wins.

    OpenSSH before 8.7 has two names for keyboard-interactive authentication, and both take effect.
    """
    out = []
    for line in parse(text):
        out.append(str(line))
        if line.key == "kbdinteractiveauthentication":
            out.append(f"ChallengeResponseAuthentication {line.value}")
    return "".join(f"{line}\n" for line in out)


def match_all(text: str) -> str:
    """Return the block that precedes every other Match block, because the first match wins too."""
    lines = [f"    {line}\n" for line in parse(text) if line.key in MATCHABLE]
    return "Match all\n" + "".join(lines) if lines else ""


def of_file(text: str) -> str:
    """Return the declared lines from files that contain `written` and `match_all`; "" if there are none."""
    rows = (line.strip() for line in text.splitlines())
    lines = [row for row in rows if row and not row.startswith("#") and row.split()[0].lower() != "match"]
    try:
        return canonical("\n".join(dict.fromkeys(canonical(line).strip() for line in lines)))
    except ValueError:
        return ""


def pattern(text: str) -> str:
    """Return an extended regular expression for the lines of `sshd -T` with declared keywords."""
    keys = dict.fromkeys(_ere(line.key) for line in map(row, written(text).splitlines()))
    return f"^({'|'.join(keys)}) " if keys else "^$"


def about(printed: str, text: str) -> str:
    """Return the lines of `sshd -T` with declared keywords: sorted, addresses without ports."""
    wanted = re.compile(pattern(text))
    lines = {_PORT.sub("", line) if line.startswith("listenaddress ") else line for line in printed.splitlines()}
    return "".join(f"{line}\n" for line in sorted(lines) if wanted.match(line))


def listening(printed: str, sockets: str | None) -> tuple[int, ...]:
    """Return the ports on which sshd listens: from `sshd -T`, or from systemctl(1)'s output for the socket unit."""
    found = _LISTENS.findall(printed) if sockets is None else _STREAM.findall(sockets)
    return tuple(sorted({int(port) for port in found}))


def silenced(text: str) -> str:
    """Return an extended regular expression for lines that would add to the declared ones; empty if none could."""
    keys = dict.fromkeys(line.key for line in parse(text) if line.key.split()[0] in CUMULATIVE)
    gap = '"?[[:space:]=]+"?'
    words = "|".join(gap.join(_ere(word) for word in key.split()) for key in keys)
    return f'^[[:space:]]*"?({words})("|[[:space:]=])' if words else ""


def differing(wanted: str, shown: str) -> tuple[str, ...]:
    """Return the keys for which two outputs of `sshd -T` differ. Order matters only within a key."""
    one, other = _grouped(wanted), _grouped(shown)
    return tuple(key for key in sorted({*one, *other}) if key in one and one[key] != other.get(key))


def as_shown(text: str, keys: Iterable[str], shown: str) -> str:
    """Return the declared lines with those of `keys` replaced by the values on the host."""
    there, changed = _grouped(shown), set(keys)
    lines: list[SettingLine] = []
    for line in parse(text):
        if line.key not in changed:
            lines.append(line)
        elif not any(known.key == line.key for known in lines):
            lines += [SettingLine(line.keyword, value) for value in there.get(line.key, ())]
    return "".join(f"{line}\n" for line in lines)


def without(text: str, lines: Iterable[str]) -> str:
    """Return the declared lines without some of them."""
    gone = set(lines)
    return "".join(f"{line}\n" for line in parse(text) if str(line) not in gone)


def ports(text: str) -> tuple[int, ...]:
    """Return the declared ports, sorted; empty if Port is not declared."""
    return tuple(sorted({int(line.value) for line in parse(text) if line.key == "port"}))


def value(text: str, key: str) -> str:
    """Return the first value of a keyword (in lower case), "" if it is not declared."""
    return next((line.value for line in parse(text) if line.key == key), "")


def shuts_out(text: str, user: str, groups: Sequence[str] | None = None, address: str = "") -> str:
    """Return why `user` could not log in under these lines, "" if no reason is known.

    Follows sshd(8): DenyUsers, AllowUsers, DenyGroups, AllowGroups. Without `groups` or `address` (in a preview),
    conditions that depend on them are assumed to be met.
    """
    denied = _words(text, "denyusers")
    if hit := next((word for word in denied if _user_matches(word, user, address, unsure=False)), None):
        return f"DenyUsers {hit} denies {user}"
    allowed = _words(text, "allowusers")
    if allowed and not any(_user_matches(word, user, address, unsure=True) for word in allowed):
        return f"AllowUsers {' '.join(allowed)} leaves out {user}"
    if groups is None:
        return ""
    denied = _words(text, "denygroups")
    if hit := next((word for word in denied if any(_fits(word, group) for group in groups)), None):
        return f"DenyGroups {hit} denies {user}, who is in {', '.join(groups)}"
    allowed = _words(text, "allowgroups")
    if allowed and not any(_fits(word, group) for word in allowed for group in groups):
        return f"AllowGroups {' '.join(allowed)} leaves out {user}, who is in {', '.join(groups)}"
    return ""


def _values(keyword: str, given: Value) -> list[str]:
    if given is None:
        return []
    if isinstance(given, bool):
        return ["yes" if given else "no"]
    if isinstance(given, str | int):
        return [str(given)]
    words = [str(word) for word in given]
    name = keyword.lower()
    if name in CUMULATIVE:
        return words
    return [("," if name in LISTED else " ").join(words)]


def _checked(text: str) -> SettingLine:
    found = _LINE.fullmatch(text)
    if found is None or not text.isprintable():
        raise ValueError(f"not a setting of sshd: {text!r}; expected `Keyword value`")
    line = SettingLine(_FORMER_NAMES.get(found[1].lower(), found[1]), found[2].strip())
    if line.key in ("match", "include"):
        raise ValueError(
            f"{line.keyword} is not allowed here: what is declared applies to every login; put Match blocks for other "
            "keywords into files of your own"
        )
    if line.key.startswith("subsystem") and not re.fullmatch(r"subsystem [\w.-]+", line.key):
        raise ValueError(f"{line}: expected a name of letters, digits, dots and dashes after Subsystem")
    if line.key == "port" and not (line.value.isdecimal() and 1 <= int(line.value) <= 65535):
        raise ValueError(f"{line}: expected a port from 1 to 65535")
    if line.key == "listenaddress" and _PORT_IN_ADDRESS.fullmatch(line.value):
        raise ValueError(f"{line}: give only the address, and the port as Port")
    return line


def _ere(key: str) -> str:
    return key.replace(".", "[.]")


def _apart(line: SettingLine) -> list[SettingLine]:
    """Split a list of users, groups or variables into one line per name, as `sshd -T` does."""
    if line.key in _NAMES:
        return [SettingLine(line.keyword, word) for word in line.value.split()]
    return [line]


def _grouped(text: str) -> dict[str, tuple[str, ...]]:
    out: dict[str, tuple[str, ...]] = {}
    for line in map(row, text.splitlines()):
        out[line.key] = (*out.get(line.key, ()), line.value)
    return out


def _words(text: str, key: str) -> tuple[str, ...]:
    return tuple(word for line in parse(text) if line.key == key for word in line.value.split())


def _fits(glob: str, name: str) -> bool:
    """Match a pattern as in PATTERNS of ssh_config(5): `*` and `?`."""
    inner = "".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in glob)
    return re.fullmatch(inner, name, re.S) is not None


def _user_matches(word: str, user: str, address: str, *, unsure: bool) -> bool:
    name, at, place = word.rpartition("@")
    if not at:
        return _fits(word, user)
    if not _fits(name, user):
        return False
    return _place_matches(place, address) if address else unsure


def _place_matches(place: str, address: str) -> bool:
    try:
        return ip_address(address) in ip_network(place, strict=False)
    except ValueError:
        return _fits(place, address)

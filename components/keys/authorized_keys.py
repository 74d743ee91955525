"""Lines of an authorized_keys file: parsed, compared and merged as data; no I/O.

Source: sshd(8), "AUTHORIZED_KEYS FILE FORMAT"; RFC 4253, 6.6 (the content of the base64 part).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TYPES = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
"""Key types that current OpenSSH accepts. ssh-dss is not among them."""

FLAGS = frozenset(
    {
        "agent-forwarding",
        "cert-authority",
        "no-agent-forwarding",
        "no-port-forwarding",
        "no-pty",
        "no-touch-required",
        "no-user-rc",
        "no-x11-forwarding",
        "port-forwarding",
        "pty",
        "restrict",
        "user-rc",
        "verify-required",
        "x11-forwarding",
    }
)
VALUED = frozenset(
    {"command", "environment", "expiry-time", "from", "permitlisten", "permitopen", "principals", "tunnel"}
)

# a backslash escapes only a double quote, not another backslash
_OPTION = re.compile(r'([A-Za-z0-9-]+)(?:="((?:[^"\\]|\\"|\\(?!"))*)")?(,|$)')
_KEY = re.compile(r"(?:^|\s)((?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]+)\s+(AAAA[A-Za-z0-9+/]+={0,3})(?=\s|$)")


class KeyLineError(ValueError):
    """A line that sshd would not accept as a key. `unquoted` is the message without any part of the line."""

    def __init__(self, message: str, unquoted: str = "") -> None:
        super().__init__(message)
        self.unquoted = unquoted or message


@dataclass(frozen=True)
class AuthorizedKey:
    """One key: its type, its base64 data, and its options as sshd parses them (`from="192.0.2.0/24",no-pty`)."""

    type: str
    blob: str
    options: str = ""
    comment: str = ""

    @property
    def fingerprint(self) -> str:
        """`SHA256:...`, as ssh-keygen -l and sshd's log print it."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")

    @property
    def rsa_bits(self) -> int:
        """Size of an RSA key in bits; 0 for other types."""
        if self.type != "ssh-rsa":
            return 0
        return int.from_bytes(_fields(base64.b64decode(self.blob))[2], "big").bit_length()

    @property
    def flags(self) -> frozenset[str]:
        """The names of its options, in lower case."""
        return frozenset(name.lower() for name, _ in _options(self.options))

    def __str__(self) -> str:
        """The line, with single spaces between its fields."""
        return " ".join(part for part in (self.options, self.type, self.blob, self.comment) if part)


def parse_key(line: str) -> AuthorizedKey:
    """Parse one line. Raises `KeyLineError`, which never repeats the line: it may be a private key."""
    text = line.strip()
    if "PRIVATE KEY" in text:
        raise KeyLineError("this is a private key; use the public key (the file that ends in .pub)")
    if "\n" in text or "\r" in text:
        raise KeyLineError("a key must be on one line")
    options, rest = _split_options(text)
    fields = rest.split(None, 2)
    if len(fields) < 2:
        raise KeyLineError("not a public key: expected `ssh-ed25519 AAAA... comment`")
    kind, blob, comment = fields[0], fields[1], fields[2] if len(fields) == 3 else ""
    if "-cert-v01@" in kind:
        raise KeyLineError("this is a certificate; use the key that it certifies (the file without -cert)")
    if kind not in TYPES:
        fault = f"is not a key type that OpenSSH accepts: {', '.join(sorted(TYPES))}"
        raise KeyLineError(f"{kind[:40]!r} {fault}", f"its first word {fault}")
    _check_blob(kind, blob)
    return AuthorizedKey(kind, blob, options, comment)


def parse_keys(text: str) -> tuple[AuthorizedKey, ...]:
    """Parse the lines of a file, skipping comments and empty lines. Raises `KeyLineError` with the line number."""
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                keys.append(parse_key(line))
            except KeyLineError as error:
                raise KeyLineError(f"line {number}: {error}", f"line {number}: {error.unquoted}") from None
    return tuple(keys)


def encoded_type(raw: bytes) -> str:
    """Return the key type encoded in a key's data. Raises `ValueError`."""
    return _fields(raw)[0].decode("ascii") if raw else ""


def found(text: str) -> dict[str, str]:
    """Return the keys of a file by blob, each with its first line as written, including lines that sshd may refuse."""
    keys: dict[str, str] = {}
    for line in _lines(text):
        blob = blob_of(line)
        if blob:
            keys.setdefault(blob, line.strip())
    return keys


def merge(text: str, wanted: Sequence[AuthorizedKey], unwanted: Sequence[str] = (), prior: str = "") -> str:
    """Return the file `text` with the `wanted` keys and without the `unwanted` blobs; everything else byte for byte.

    A line with a wanted key but other options is replaced in place. A second line with the same key is removed, because
    sshd would try it when the first one's options do not match. An unwanted key that was in the file `prior` gets its
    old line back.
    """
    missing = {key.blob: str(key) for key in wanted}
    before = found(prior)
    done: set[str] = set()
    lines = []
    for line in _lines(text):
        blob = blob_of(line)
        if blob in done:
            continue
        if blob in missing:
            done.add(blob)
            lines.append(line if _same(line, missing[blob]) else missing[blob] + "\n")
        elif blob in unwanted:
            done.add(blob)
            if blob in before:
                lines.append(before[blob] + "\n")
        else:
            lines.append(line)
    added = [line + "\n" for blob, line in missing.items() if blob not in done]
    if lines and added and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return "".join((*lines, *added))


def only(wanted: Sequence[AuthorizedKey]) -> str:
    """Return a file that contains only `wanted`."""
    return "".join(f"{key}\n" for key in wanted)


def blob_of(line: str) -> str:
    """Return the key's base64 part; empty for comments and lines without a key."""
    if line.lstrip().startswith("#"):
        return ""
    try:
        _, rest = _split_options(line.strip())
    except KeyLineError:
        rest = line
    match = _KEY.search(rest)
    return match[2] if match else ""


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+$", text)


def _same(line: str, wanted: str) -> bool:
    try:
        return str(parse_key(line)) == wanted
    except KeyLineError:
        return False


def _split_options(text: str) -> tuple[str, str]:
    """Split a line into its validated options and the rest."""
    first = text.split(None, 1)[0] if text else ""
    if first in TYPES or re.fullmatch(r"(ssh|ecdsa|sk)-[a-z0-9@.-]+", first):
        return "", text
    end = _end_of_options(text)
    options = text[:end]
    if end == len(text):
        raise KeyLineError("not a public key: expected `ssh-ed25519 AAAA... comment`")
    for name, value in _options(options):
        if (value is None and name.lower() in FLAGS) or (value and name.lower() in VALUED):
            continue
        need = 'needs a value in double quotes, as name="value"' if name.lower() in VALUED else "is not known to sshd"
        if name.lower() in FLAGS:
            need = "takes no value"
        raise KeyLineError(f"option {name[:40]!r} {need}", f"one of its options {need}")
    return options, text[end:].lstrip()


def _end_of_options(text: str) -> int:
    """Return the index of the first blank outside of double quotes."""
    quoted = False
    for found in re.finditer(r'\\"|["\t ]', text):
        if found[0] == '"':
            quoted = not quoted
        elif found[0] in " \t" and not quoted:
            return found.start()
    return len(text)


def _options(text: str) -> Iterator[tuple[str, str | None]]:
    place = 0
    while place < len(text):
        match = _OPTION.match(text, place)
        if not match:
            raise KeyLineError(
                'the options before the key type cannot be parsed: expected name or name="value", separated by commas'
            )
        yield match[1], match[2]
        place = match.end()
    if text.endswith(","):
        raise KeyLineError("the options before the key type end in a comma")


def _check_blob(kind: str, blob: str) -> None:
    """Raise unless the base64 part is complete and of the type written before it."""
    try:
        raw = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        raise KeyLineError("the key is damaged: its second field is not base64") from None
    fields = _fields(raw)
    if len(fields) < 2 or fields[0] != kind.encode("ascii"):
        raise KeyLineError(f"the key is damaged: it is not of the type {kind}")


def _fields(raw: bytes) -> list[bytes]:
    """Return the length-prefixed fields of a key."""
    fields = []
    while raw:
        size = int.from_bytes(raw[:4], "big")
        if len(raw) < 4 + size:
            raise KeyLineError("the key is damaged: it is cut off")
        fields.append(raw[4 : 4 + size])
        raw = raw[4 + size :]
    return fields

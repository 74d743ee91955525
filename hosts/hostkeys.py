"""Which host keys are trusted: the pinned one, or those of known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from hosts.connection import DEFAULT_PORT, Connection, resolve
from hosts.errors import BadCredentials, HostError, HostKeyChanged, HostKeyUnknown, Unreachable
from hosts.textfiles import LARGEST_LIST, BadFile, read_text

_PREFERRED = {name: rank for rank, name in enumerate((b"ssh-ed25519", b"ecdsa-sha2-nistp256"))}
_USER_FILE = "~/.ssh/known_hosts"
_DEFAULT_FILES = (_USER_FILE, "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


@dataclass(frozen=True)
class Trust:
    """The keys one host may show, and where that is written."""

    source: str
    keys: tuple[asyncssh.SSHKey, ...] = ()
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()
    remark: str = ""
    """What is wrong with the files that were looked at."""
    borrowed: bool = False
    """The keys are known under another port: that this one shows another key makes it unknown, not changed."""

    def lists(self) -> tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]:
        """In the form of asyncssh's `known_hosts`: trusted, authorities, revoked."""
        return list(self.keys), list(self.authorities), list(self.revoked)

    def algorithms(self) -> list[str]:
        """Host key algorithms in the order to ask for: those of known keys first, so that a host with several keys
        shows the one we know; all others after, so that a replaced key is received and can be told."""
        known = [name for key in self.keys for name in key.sig_algorithms]
        certificates = list(get_default_certificate_algs())
        # of an unknown host the key that one would pin is asked for: the short one, as ssh does
        plain = sorted(get_default_public_key_algs(), key=lambda name: _PREFERRED.get(name, len(_PREFERRED)))
        ordered = [*certificates, *known, *plain] if self.authorities else [*known, *plain]
        return [name.decode("ascii") for name in dict.fromkeys(ordered)]


@dataclass
class Shown:
    """What the other side showed and said during one attempt to connect."""

    key: asyncssh.SSHKey | None = None
    banners: list[str] = field(default_factory=list)
    password_expired: bool = False


def trust_of(connection: Connection) -> Trust:
    """The trust for a connection, read now. Missing or unreadable default files count as empty.

    Raises BadCredentials where a knownHostsFile that the user named cannot be read.
    """
    if connection.host_key is not None:
        return Trust("the connection's hostKey", (asyncssh.import_public_key(connection.host_key),))
    if connection.known_hosts_file is not None:
        path = resolve(connection.known_hosts_file)
        try:
            lines = read_text(path, LARGEST_LIST).splitlines()
        except BadFile as error:
            raise BadCredentials(f"knownHostsFile {error}") from None
        return _matches(str(path), lines, connection)
    lines, remarks = [], []
    for name in _DEFAULT_FILES:
        file = Path(name).expanduser()
        try:
            lines += read_text(file, LARGEST_LIST).splitlines() if file.exists() else []
        except (BadFile, OSError) as error:
            remarks.append(str(error))
    return replace(_matches(_USER_FILE, lines, connection), remark="\n  ".join(remarks))


def _matches(source: str, lines: list[str], connection: Connection) -> Trust:
    known = asyncssh.SSHKnownHosts()
    for line in lines:
        try:
            known.load(line)
        except ValueError:
            continue  # as ssh does: a line nobody can read does not make the others void
    found = [known.match(_written(*name), "", None)[:3] for name in connection.names]
    revoked = tuple(key for _, _, keys in found for key in keys)
    for number, (keys, authorities, _) in enumerate(found):
        if keys or authorities:
            borrowed = connection.names[number] != connection.names[0]
            return Trust(source, tuple(keys), tuple(authorities), revoked, borrowed=borrowed)
    return Trust(source, revoked=revoked)


def _written(host: str, port: int) -> str:
    """As known_hosts has it."""
    name = host.lower()
    return name if port == DEFAULT_PORT else f"[{name}]:{port}"


def key_line(key: asyncssh.SSHKey) -> str:
    """`ssh-ed25519 AAAA…`: what to pin."""
    return " ".join(key.export_public_key("openssh").decode("ascii").split()[:2])


def fingerprint(key: asyncssh.SSHKey) -> str:
    """As ssh-keygen -l prints it: `SHA256:…`, with the algorithm before it."""
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


def refusal(connection: Connection, trust: Trust, shown: Shown, reason: str) -> HostError:
    """The error for a host key that was not accepted."""
    if shown.key is None:
        if "revoked" in reason:
            return HostKeyChanged(f"the host key of {connection.address} is revoked in {trust.source}", hint="")
        return Unreachable(tried=(connection.address,), cause=f"host key not accepted: {reason}")
    if trust.keys and not trust.borrowed:
        return HostKeyChanged(
            address=connection.address,
            expected=tuple(fingerprint(key) for key in trust.keys),
            received=fingerprint(shown.key),
            key_line=key_line(shown.key),
            source=trust.source,
        )
    unknown = HostKeyUnknown(
        address=connection.address, key_line=key_line(shown.key), fingerprint=fingerprint(shown.key)
    )
    unknown.hint = "\n  ".join(part for part in (unknown.hint, trust.remark) if part)
    return unknown

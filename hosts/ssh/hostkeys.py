"""Which host keys are trusted: the pinned one, or those of known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""

import sys
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import asyncssh

from hosts.errors import BadCredentials, HostError, HostKeyChanged, HostKeyUnknown, Unreachable
from hosts.ssh.algorithms import BETTER, RSA_BY_SHA1, needs_sha1, offer, weakness
from hosts.ssh.connection import DEFAULT_PORT, Connection, resolve
from hosts.text.textfiles import LARGEST_LIST, BadFile, read_text

_PREFERRED = {name: rank for rank, name in enumerate(("ssh-ed25519", "ecdsa-sha2-nistp256"))}
_USER_FILE = "~/.ssh/known_hosts"
_DEFAULT_FILES = (_USER_FILE, "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


@dataclass(frozen=True)
class Trust:
    """The keys one host may show, and where they are listed."""

    source: str
    keys: tuple[asyncssh.SSHKey, ...] = ()
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()
    remark: str = ""
    """Problems with the files that were read."""
    old: bool = False
    """Whether old algorithms are allowed."""
    borrowed: bool = False
    """The keys are known for another port. A different key then makes the host unknown, not changed."""

    def lists(self) -> tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]:
        """Return the keys for asyncssh's `known_hosts`: trusted, authorities, revoked."""
        return list(self.keys), list(self.authorities), list(self.revoked)

    def algorithms(self) -> list[str]:
        """Host key algorithms in the order of preference: those of known keys first, so that a host with several keys
        shows the known one. All others follow, so that a replaced key can still be received and reported."""
        offered = offer(old=self.old)
        known = [name for key in self.keys for name in map(bytes.decode, key.sig_algorithms) if name in offered.keys]
        # for an unknown host, prefer the key that one would pin: the short one, as ssh does
        plain = sorted(offered.keys, key=lambda name: _PREFERRED.get(name, len(_PREFERRED)))
        ordered = [*offered.certificates, *known, *plain] if self.authorities else [*known, *plain]
        return [*dict.fromkeys(ordered)]


@dataclass
class Shown:
    """What the server showed and said during one connection attempt."""

    key: asyncssh.SSHKey | None = None
    version: str = ""
    banners: list[str] = field(default_factory=list)
    password_expired: bool = False
    rsa: bool = False
    """Whether one of our keys is an RSA key."""


def trust_of(connection: Connection) -> Trust:
    """Read the trusted keys for a connection. Missing or unreadable default files count as empty.

    Raises BadCredentials if a knownHostsFile named by the user cannot be read.
    """
    if connection.host_key is not None:
        pinned = asyncssh.import_public_key(connection.host_key)
        return Trust("the connection's hostKey", (pinned,), old=connection.old_algorithms)
    if connection.known_hosts_file is not None:
        path = resolve(connection.known_hosts_file)
        try:
            text = read_text(path, LARGEST_LIST)
        except BadFile as error:
            raise BadCredentials(f"knownHostsFile {error}") from None
        return _matches(str(path), sys.intern(text), connection.names, connection.old_algorithms)
    lines, remarks = list[str](), []
    for name in _DEFAULT_FILES:
        file = Path(name).expanduser()
        try:
            lines += read_text(file, LARGEST_LIST).splitlines() if file.exists() else []
        except (BadFile, OSError) as error:
            remarks.append(str(error))
    text = sys.intern("\n".join(lines))
    trust = _matches(_USER_FILE, text, connection.names, connection.old_algorithms)
    return replace(trust, remark="\n  ".join(filter(None, (*remarks, trust.remark))))


@lru_cache(maxsize=128)  # each resource of a host asks several times
def _matches(source: str, text: str, names: tuple[tuple[str, int], ...], old: bool) -> Trust:
    known = asyncssh.SSHKnownHosts()
    for line in text.splitlines():
        try:
            known.load(line)
        except ValueError:
            continue  # as ssh does: an unreadable line does not invalidate the others
    found = [known.match(_written(*name), "", None)[:3] for name in names]
    revoked = tuple(key for _, _, keys in found for key in keys)
    weak = dict[str, None]()
    for number, (known_keys, known_authorities, _) in enumerate(found):
        faults = {key: weakness(key) for key in (*known_keys, *known_authorities)} if not old else {}
        weak |= dict.fromkeys(filter(None, faults.values()))
        keys, authorities = (
            tuple(key for key in some if not faults.get(key)) for some in (known_keys, known_authorities)
        )
        if keys or authorities:
            borrowed = names[number] != names[0]
            return Trust(source, keys, authorities, revoked, old=old, borrowed=borrowed)
    remark = f"{source} has {' and '.join(weak)} of it, which is too weak: {BETTER}." if weak else ""
    return Trust(source, revoked=revoked, remark=remark, old=old)


def _written(host: str, port: int) -> str:
    """The host and port in known_hosts' format."""
    name = host.lower()
    return name if port == DEFAULT_PORT else f"[{name}]:{port}"


def key_line(key: asyncssh.SSHKey) -> str:
    """`ssh-ed25519 AAAA…`: the line to pin."""
    return " ".join(key.export_public_key("openssh").decode("ascii").split()[:2])


def fingerprint(key: asyncssh.SSHKey) -> str:
    """As ssh-keygen -l prints it: `SHA256:…`, preceded by the algorithm."""
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


def refusal(connection: Connection, trust: Trust, shown: Shown, reason: str) -> HostError:
    """The error for a host key that was not accepted."""
    if shown.key is None:
        if "revoked" in reason:
            return HostKeyChanged(f"the host key of {connection.address} is revoked in {trust.source}", hint="")
        return Unreachable(tried=(connection.address,), cause=f"host key not accepted: {reason}")
    if trust.keys and not trust.borrowed:
        changed = HostKeyChanged(
            address=connection.address,
            expected=tuple(fingerprint(key) for key in trust.keys),
            received=fingerprint(shown.key),
            key_line=key_line(shown.key),
            source=trust.source,
        )
        if needs_sha1(shown.version) and not trust.old and all(key.get_algorithm() == "ssh-rsa" for key in trust.keys):
            changed.hint += f"\n  Or it is the same: {RSA_BY_SHA1}"
        return changed
    fault = "" if trust.old else weakness(shown.key)
    if fault:
        message = f"{connection.address} shows {fault}, which is too weak"
        return HostKeyUnknown(message, hint=f"{BETTER[0].upper()}{BETTER[1:]}.")
    unknown = HostKeyUnknown(
        address=connection.address, key_line=key_line(shown.key), fingerprint=fingerprint(shown.key)
    )
    unknown.hint = "\n  ".join(part for part in (unknown.hint, trust.remark) if part)
    return unknown

"""What our side of an SSH connection offers: nothing based on SHA-1, on breakable keys, or on CBC.

Hosts too old for that (OpenSSH before 5.9, or before 7.2 with RSA keys only) need `oldAlgorithms: true` in their
config, which adds SHA-1 and small keys. MD5, RC4, 3DES and truncated MACs are never offered. Source: RFC 9142 (key
exchange), RFC 8332 (RSA with SHA-2), NIST SP 800-131A rev. 2.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import asyncssh
from asyncssh.encryption import get_default_encryption_algs
from asyncssh.kex import get_default_kex_algs
from asyncssh.mac import get_default_mac_algs
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

RSA_BITS = 2048
"""Size of the smallest RSA key accepted from a host."""
BETTER = (
    "pin an ed25519 key of the host (`ssh-keygen -A` there makes one that is missing), or say `oldAlgorithms: true` "
    "beside its address"
)
OLDER = "OpenSSH before 5.9 needs `oldAlgorithms: true` beside the host's address (docs/hosts.md)."
RSA_BY_SHA1 = (
    "OpenSSH before 7.2 supports RSA keys with SHA-1 only: use ed25519 or ECDSA keys, or say "
    "`oldAlgorithms: true` beside the host's address (docs/hosts.md)."
)
_KEX = re.compile(r"mlkem|curve|ecdh-sha2-nistp|diffie-hellman-group(1[4-8]|-exchange)-sha(256|512)$")
_MACS = re.compile(r"(hmac-sha2-(256|512)|umac-128)(-etm@openssh\.com|@openssh\.com)?$")
_OLD_KEX = ("diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1")
_OLD_MACS = ("hmac-sha1-etm@openssh.com", "umac-64-etm@openssh.com", "umac-64@openssh.com", "hmac-sha1")
_OLD_KEYS = ("ssh-rsa", "ssh-dss")
_OPENSSH = re.compile(r"OpenSSH_(\d+)\.(\d+)")
_RSA_WITH_SHA2 = (7, 2)
"""The OpenSSH version that introduced it."""


@dataclass(frozen=True)
class Offer:
    """The names that are offered, best first."""

    kex: tuple[str, ...]
    ciphers: tuple[str, ...]
    macs: tuple[str, ...]
    keys: tuple[str, ...]
    """How a host may prove its key."""
    certificates: tuple[str, ...]
    signatures: tuple[str, ...]
    """How we prove ours."""


def offer(*, old: bool) -> Offer:
    """Return what is offered to a host. `old`: a host that supports nothing better."""
    keys = tuple(name for name in _text(get_default_public_key_algs()) if _strong_key(name))
    certificates = tuple(name for name in _text(get_default_certificate_algs()) if not name.startswith("ssh-rsa-"))
    return Offer(
        kex=tuple(name for name in _text(get_default_kex_algs()) if _KEX.match(name)) + (_OLD_KEX if old else ()),
        ciphers=_text(get_default_encryption_algs()),
        macs=tuple(name for name in _text(get_default_mac_algs()) if _MACS.match(name)) + (_OLD_MACS if old else ()),
        keys=keys + (_OLD_KEYS if old else ()),
        certificates=certificates + (("ssh-rsa-cert-v01@openssh.com",) if old else ()),
        signatures=keys + (_OLD_KEYS if old else ()),
    )


def weakness(key: asyncssh.SSHKey) -> str:
    """Return what is wrong with a host's key ("an RSA key of ..."); empty if nothing is."""
    kind = key.get_algorithm()
    if kind == "ssh-dss":
        return "a DSA key"
    bits = int(getattr(key.pyca_key, "key_size", 0)) if kind == "ssh-rsa" else RSA_BITS
    return f"an RSA key of {bits} bits" if bits < RSA_BITS else ""


def pin_fault(line: str) -> str:
    """Return why a key in OpenSSH's format must not be pinned; empty if it may be."""
    try:
        fault = weakness(asyncssh.import_public_key(line))
    except asyncssh.KeyImportError:
        return "the key is damaged"
    return f"{fault}, which is too weak: {BETTER}" if fault else ""


def needs_sha1(version: str) -> bool:
    """Return whether a server supports RSA keys only with SHA-1, judging by its version string."""
    found = _OPENSSH.search(version)
    return bool(found) and (int(found[1]), int(found[2])) < _RSA_WITH_SHA2  # type: ignore[index]


def _strong_key(name: str) -> bool:
    return name != "ssh-rsa" and not name.endswith("@ssh.com")


def _text(names: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(name.decode("ascii") for name in names)

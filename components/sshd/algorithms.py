"""What `algorithms: modern` means to each version of OpenSSH: pure.

In the declared lines, the word `modern` stands for a list (`KexAlgorithms modern`). The host chooses the names that its
version of OpenSSH has, so the same line is right on each release, and better after an upgrade of the host. Sources:
OpenSSH's release notes, and what ssh-audit calls insecure or doubtful.

Clients since OpenSSH 6.7 (2014) have one of each kind in common with every such server. Group exchange is not offered,
so weak groups in /etc/ssh/moduli are never used.
"""

import re

MODERN = "modern"
KEYWORDS = ("KexAlgorithms", "Ciphers", "MACs", "HostKeyAlgorithms")
"""Keywords whose value can be the word."""
OLDEST = "7.2"
"""The first OpenSSH that signs with an RSA host key by SHA-2; before, there is no safe list."""

NAMES = {
    "KexAlgorithms": (
        ("9.9", "mlkem768x25519-sha256"),  # the first three also withstand a quantum computer
        ("9.9", "sntrup761x25519-sha512"),
        ("8.5", "sntrup761x25519-sha512@openssh.com"),
        ("7.4", "curve25519-sha256"),
        ("6.5", "curve25519-sha256@libssh.org"),
    ),
    "Ciphers": (
        ("9.6", "chacha20-poly1305@openssh.com"),  # open to Terrapin (CVE-2023-48795) before
        ("6.2", "aes256-gcm@openssh.com"),
        ("6.2", "aes128-gcm@openssh.com"),
        ("3.7", "aes256-ctr"),
        ("3.7", "aes192-ctr"),
        ("3.7", "aes128-ctr"),
    ),
    "MACs": (
        ("6.2", "hmac-sha2-512-etm@openssh.com"),
        ("6.2", "hmac-sha2-256-etm@openssh.com"),
        ("6.2", "umac-128-etm@openssh.com"),
    ),
    "HostKeyAlgorithms": (
        ("6.5", "ssh-ed25519-cert-v01@openssh.com"),
        ("7.8", "rsa-sha2-512-cert-v01@openssh.com"),
        ("7.8", "rsa-sha2-256-cert-v01@openssh.com"),
        ("6.5", "ssh-ed25519"),
        ("7.2", "rsa-sha2-512"),
        ("7.2", "rsa-sha2-256"),
    ),
}
"""By keyword, the names with the version that introduced each, best first."""


def table() -> str:
    """Return rows `keyword since name`, best first, from which the host chooses (components/sshd/daemon.sh)."""
    return "".join(f"{keyword} {since} {name}\n" for keyword, rows in NAMES.items() for since, name in rows)


def has_modern(openssh: str) -> bool:
    """Whether there is a safe list for a version as sshd prints it, such as `OpenSSH_9.2p1 Debian-2`."""
    found = re.match(r"OpenSSH_(\d+\.\d+)", openssh)
    return found is not None and _number(found[1]) >= _number(OLDEST)


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))

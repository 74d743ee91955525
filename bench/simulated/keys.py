"""The key pairs of the simulated hosts and their users."""

from dataclasses import dataclass
from pathlib import Path

import asyncssh

ALGORITHMS = {
    "kex_algs": ["curve25519-sha256", "ecdh-sha2-nistp256"],
    "encryption_algs": ["chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com"],
    "mac_algs": ["hmac-sha2-256-etm@openssh.com"],
    "compression_algs": ["none"],
}
"""What Debian 12's sshd offers, as far as it matters: clients choose in their own order."""


@dataclass(frozen=True)
class Keys:
    """Files in one directory: the hosts' key and the users' key; a known_hosts file is written beside them."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> "Keys":
        """The keys in the directory, created if they do not exist."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("host", "user"):
            file = folder / name
            if not file.exists():
                key = asyncssh.generate_private_key("ssh-ed25519", comment="stockade bench")
                key.write_public_key(str(file) + ".pub")
                file.touch(0o600)
                key.write_private_key(str(file))
        return cls(folder)

    @property
    def user_file(self) -> Path:
        """The private key that all users log in with."""
        return self.folder / "user"

    @property
    def user_line(self) -> str:
        """Its public half, as in authorized_keys."""
        return (self.folder / "user.pub").read_text().strip()

    @property
    def host_line(self) -> str:
        """The hosts' public key: type and base64."""
        return " ".join((self.folder / "host.pub").read_text().split()[:2])

    @property
    def host(self) -> asyncssh.SSHKey:
        """The hosts' private key."""
        return asyncssh.read_private_key(str(self.folder / "host"))

    @property
    def known_hosts(self) -> Path:
        """For OpenSSH's client and others: the hosts' key, for any address and port."""
        file = self.folder / "known_hosts"
        file.write_text(f"* {self.host_line}\n")
        return file

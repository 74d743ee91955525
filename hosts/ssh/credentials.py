"""Our credentials: keys, an agent, a password. Read when a connection is opened, never kept in any state.

If a key or password is given, only that is used: an agent with many keys would exhaust sshd's MaxAuthTries first.
Otherwise the order is that of ssh: SSH_AUTH_SOCK's agent, then the unencrypted ~/.ssh/id_*.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from hosts.errors import BadCredentials
from hosts.ssh.connection import Connection, resolve
from hosts.text.textfiles import BadFile, read_private_key, read_text

_AGENT_TIMEOUT = 10.0


@dataclass(frozen=True)
class Credentials:
    """Credentials ready for use. `described` says what they are, for messages."""

    keys: tuple[asyncssh.SSHKeyPair, ...] = ()
    agent: str | None = None
    password: str | None = field(default=None, repr=False)
    described: tuple[str, ...] = ()


def credentials_of(connection: Connection) -> Credentials:
    """Read the credentials that a connection names. May take a while, because passphrases are slow by design.

    Raises BadCredentials for a key that is missing, invalid, or encrypted with another passphrase.
    """
    keys: list[asyncssh.SSHKeyPair] = []
    described: list[str] = []
    if connection.private_key is not None:
        keys += asyncssh.load_keypairs(_load(connection.private_key.get_secret_value(), connection, "privateKey"))
        described.append("privateKey")
    if connection.private_key_file is not None:
        path = resolve(connection.private_key_file)
        key = _load(_read(path), connection, f"privateKeyFile {path}")
        certificate = _certificate(path, key)
        keys += asyncssh.load_keypairs((key, certificate) if certificate else key)  # also without certificate, like ssh
        described.append(f"key {path}" + (" and its certificate" if certificate else ""))
    agent = str(resolve(connection.agent_socket_path)) if connection.agent_socket_path else None
    password = connection.password.get_secret_value() if connection.password is not None else None
    if not keys and agent is None and password is None:
        agent = os.environ.get("SSH_AUTH_SOCK") or None
        keys += asyncssh.public_key.load_default_keypairs()
        described += ["~/.ssh/id_*"] if keys else []
        if agent is not None and not os.path.exists(agent):
            agent = None  # stale variable of an old session
    described += [f"agent {agent}"] if agent else []
    described += ["password"] if password is not None else []
    return Credentials(tuple(keys), agent, password, tuple(described))


def _read(path: Path) -> str:
    try:
        return read_private_key(path)
    except BadFile as error:
        raise BadCredentials(f"privateKeyFile {error}") from None


def _certificate(path: Path, key: asyncssh.SSHKey) -> asyncssh.SSHCertificate | None:
    """The certificate beside a key file, where `ssh -i` looks for it. An unusable one is ignored."""
    try:
        found = asyncssh.import_certificate(read_text(path.with_name(path.name + "-cert.pub")))
    except (BadFile, asyncssh.KeyImportError):
        return None
    return found if found.key.public_data == key.public_data else None


def _load(text: str, connection: Connection, name: str) -> asyncssh.SSHKey:
    secret = connection.private_key_password
    try:
        return asyncssh.import_private_key(text, secret.get_secret_value() if secret is not None else None)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        said = str(error).lower()
        if "bcrypt" in said:
            raise BadCredentials(f"{name}: encrypted OpenSSH keys need the Python package bcrypt") from None
        if secret is not None and "passphrase must" not in said:
            raise BadCredentials(f"{name} cannot be opened with its passphrase (privateKeyPassword)") from None
        if "passphrase" in said:
            hint = "Give the passphrase as privateKeyPassword."
            raise BadCredentials(f"{name} is encrypted, but no passphrase is given", hint=hint) from None
        raise BadCredentials(f"{name} is not a private key that can be parsed") from None


async def agent_keys(path: str) -> tuple[asyncssh.SSHAgentClient, Sequence[asyncssh.SSHKeyPair]]:
    """An open agent and its keys. The agent must stay open until the login is complete.

    Raises BadCredentials if there is no agent.
    """
    try:
        async with asyncio.timeout(_AGENT_TIMEOUT):
            agent = await asyncssh.connect_agent(path)
            return agent, await agent.get_keys()
    except (OSError, ValueError, TimeoutError, asyncssh.Error) as error:
        raise BadCredentials(f"the SSH agent at {path} does not answer: {error}") from None

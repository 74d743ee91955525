"""What we show to be let in: keys, an agent, a password. Read when a connection is made, never kept in any state.

A key or password that is given is used alone: an agent with many keys would exhaust sshd's MaxAuthTries before it.
With nothing given we do as ssh does: SSH_AUTH_SOCK's agent, then the unencrypted ones of ~/.ssh/id_*.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncssh

from hosts.connection import Connection, resolve
from hosts.errors import BadCredentials

_AGENT_TIMEOUT = 10.0


@dataclass(frozen=True)
class Credentials:
    """Ready to use. `described` says what they are, for messages."""

    keys: tuple[asyncssh.SSHKeyPair, ...] = ()
    agent: str | None = None
    password: str | None = field(default=None, repr=False)
    described: tuple[str, ...] = ()


def credentials_of(connection: Connection) -> Credentials:
    """Read what a connection names. May take a while (passphrases are slow on purpose).

    Raises BadCredentials for a key that is missing, no key, or locked by another passphrase.
    """
    keys: list[asyncssh.SSHKeyPair] = []
    described: list[str] = []
    if connection.private_key is not None:
        keys += _load(connection.private_key.get_secret_value(), connection, "privateKey")
        described.append("privateKey")
    if connection.private_key_file is not None:
        path = resolve(connection.private_key_file)
        keys += _load(_read(str(path)), connection, f"privateKeyFile {path}")
        described.append(f"key {path}")
    agent = str(resolve(connection.agent_socket_path)) if connection.agent_socket_path else None
    password = connection.password.get_secret_value() if connection.password is not None else None
    if not keys and agent is None and password is None:
        agent = os.environ.get("SSH_AUTH_SOCK") or None
        keys += asyncssh.public_key.load_default_keypairs()
        described += ["~/.ssh/id_*"] if keys else []
        if agent is not None and not os.path.exists(agent):
            agent = None  # what an old session left in the environment
    described += [f"agent {agent}"] if agent else []
    described += ["password"] if password is not None else []
    return Credentials(tuple(keys), agent, password, tuple(described))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise BadCredentials(f"privateKeyFile {path} cannot be read: {reason}") from None


def _load(text: str, connection: Connection, name: str) -> Sequence[asyncssh.SSHKeyPair]:
    secret = connection.private_key_password
    try:
        key = asyncssh.import_private_key(text, secret.get_secret_value() if secret is not None else None)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        said = str(error).lower()
        if "bcrypt" in said:
            raise BadCredentials(f"{name}: encrypted OpenSSH keys need the Python package bcrypt") from None
        if secret is not None and "passphrase must" not in said:
            raise BadCredentials(f"{name} cannot be opened with its passphrase (privateKeyPassword)") from None
        if "passphrase" in said:
            hint = "Give the passphrase as privateKeyPassword."
            raise BadCredentials(f"{name} is encrypted and its passphrase is not given", hint=hint) from None
        raise BadCredentials(f"{name} is not a private key that can be read") from None
    return asyncssh.load_keypairs(key)


async def agent_keys(path: str) -> tuple[asyncssh.SSHAgentClient, Sequence[asyncssh.SSHKeyPair]]:
    """An open agent and its keys; the agent must stay open until the login is over.

    Raises BadCredentials where nobody answers there.
    """
    try:
        async with asyncio.timeout(_AGENT_TIMEOUT):
            agent = await asyncssh.connect_agent(path)
            return agent, await agent.get_keys()
    except (OSError, ValueError, TimeoutError, asyncssh.Error) as error:
        raise BadCredentials(f"the SSH agent at {path} does not answer: {error}") from None

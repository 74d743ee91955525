"""Fixtures for tests of hosts/: keys, a server on loopback, a pool that is closed afterwards."""

from collections.abc import Callable, Iterator
from pathlib import Path

import asyncssh
import pytest

from hosts.pool import Pool
from hosts.ssh.connection import Connection, HostAccess
from tests.ssh.server import Behaviour, Server, serving

Access = Callable[..., HostAccess]


def public(key: asyncssh.SSHKey) -> str:
    """`ssh-ed25519 AAAA…`."""
    return " ".join(key.export_public_key().decode().split()[:2])


def private(key: asyncssh.SSHKey) -> str:
    return key.export_private_key().decode()


@pytest.fixture(scope="session")
def host_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture(scope="session")
def user_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture(scope="session")
def other_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
def server(host_key: asyncssh.SSHKey, user_key: asyncssh.SSHKey) -> Iterator[Server]:
    with serving(Behaviour(keys={"root": public(user_key)}), [host_key]) as running:
        yield running


@pytest.fixture
def pool() -> Iterator[Pool]:
    fresh = Pool()
    yield fresh
    fresh.close()


@pytest.fixture
def connection(server: Server, user_key: asyncssh.SSHKey) -> Connection:
    """The login that the server accepts."""
    return Connection(
        host="127.0.0.1", port=server.port, private_key=private(user_key), host_key=server.host_key_line()
    )


@pytest.fixture
def access(connection: Connection) -> HostAccess:
    return HostAccess(name="web1", admin=connection, connect_timeout=5)


@pytest.fixture(autouse=True)
def _no_agent_and_no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The machine's own keys and known hosts must not affect tests."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

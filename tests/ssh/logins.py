"""Helpers of the tests that log in."""

import socket

import pytest

from hosts.errors import HostError
from hosts.pool import Pool
from hosts.shell import Script
from hosts.ssh.connection import Connection, HostAccess

HELLO = Script("say hello", "echo hello")


def only(connection: Connection, **changes: object) -> HostAccess:
    """Access with this connection alone, with some fields changed."""
    admin = Connection.model_validate({**dict(connection), **changes})
    return HostAccess(name="web1", admin=admin, connect_timeout=1)


def refused_by(pool: Pool, access: HostAccess, kind: type[HostError]) -> HostError:
    with pytest.raises(kind) as caught:
        pool.host(access).run(HELLO, resource="users")
    assert str(caught.value).startswith("web1: users: say hello: ")
    return caught.value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

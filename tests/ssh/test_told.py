"""The reason why a host cannot be reached is reported once, wherever it is found."""

from collections.abc import Callable
from pathlib import Path

import asyncssh
import pytest

from components.failure import Failure
from hosts.errors import HostError
from hosts.once import ReportedOnce
from hosts.pool import Pool
from hosts.ssh.connection import Connection, HostAccess
from tests.ssh.conftest import private, public
from tests.ssh.logins import HELLO, free_port
from tests.ssh.server import Behaviour, Server, serving

RESOURCES = ("user deploy", "firewall ipv4", "firewall ipv6", "sshd")


def texts(pool: Pool, *ways: HostAccess, told: ReportedOnce | None = None) -> list[str]:
    """The messages for every resource of these hosts."""
    told = told or ReportedOnce()
    lines = []
    for way in ways:
        for resource in RESOURCES:
            with pytest.raises(HostError) as caught:
                pool.host(way).read(HELLO, resource) if resource < "t" else pool.host(way).run(HELLO, resource=resource)
            lines.append(told.text(caught.value))
    return lines


def named(name: str, connection: Connection, **changes: object) -> HostAccess:
    admin = Connection.model_validate({**dict(connection), **changes})
    return HostAccess(name=name, admin=admin, connect_timeout=1)


def refused(connection: Connection, server: Server) -> dict[str, object]:
    server.behaviour.keys.clear()
    return {}


def sudo_asks(connection: Connection, server: Server) -> dict[str, object]:
    server.behaviour.forced["root"] = "echo 'sudo: a password is required' >&2; exit 1"
    return {}


def another_key(connection: Connection, server: Server) -> dict[str, object]:
    return {"host_key": public(asyncssh.generate_private_key("ssh-ed25519"))}


def nobody_there(connection: Connection, server: Server) -> dict[str, object]:
    return {"port": free_port()}


@pytest.mark.parametrize("cause", [refused, sudo_asks, another_key, nobody_there])
def test_once_for_each_host(
    pool: Pool, server: Server, connection: Connection, cause: Callable[..., dict[str, object]]
) -> None:
    changes = cause(connection, server)
    lines = texts(pool, *(named(f"web{n}", connection, **changes, per_dial_timeout=5 + n) for n in (1, 2)))
    for n, part in ((1, lines[:4]), (2, lines[4:])):
        assert part[0].startswith(f"web{n}: user deploy: say hello: ")
        assert part[1:] == [
            f"web{n}: {resource}: not reached (for the cause, see web{n}: user deploy)" for resource in RESOURCES[1:]
        ]


def test_once_for_all_hosts_where_it_is_this_machines(pool: Pool, connection: Connection, tmp_path: Path) -> None:
    missing = {"private_key": None, "private_key_file": str(tmp_path / "gone")}
    lines = texts(pool, *(named(f"web{n}", connection, **missing, per_dial_timeout=5 + n) for n in (1, 2, 3)))
    assert sum("No such file" in line for line in lines) == 1
    assert lines[4] == "web2: user deploy: not reached (for the cause, see web1: user deploy)"


def test_once_for_all_hosts_behind_a_jump_host(
    pool: Pool, connection: Connection, user_key: asyncssh.SSHKey, host_key: asyncssh.SSHKey
) -> None:
    with serving(Behaviour(), [host_key]) as jump:
        proxy = Connection(
            host="127.0.0.1", port=jump.port, user="hop", private_key=private(user_key), host_key=jump.host_key_line()
        )
        lines = texts(pool, *(named(f"web{n}", connection, proxy=proxy, per_dial_timeout=5 + n) for n in (1, 2)))
        assert sum("login refused" in line for line in lines) == 1


def test_what_fails_on_a_host_that_is_reached_is_told_in_full(pool: Pool, access: HostAccess) -> None:
    told = ReportedOnce()
    error = HostError("this step failed", host="web1", resource="sshd")
    assert told.text(error) == told.text(error) == "web1: sshd: this step failed"
    assert told.text(Failure("in words")) == told.text(Failure("in words")) == "in words"


def test_an_error_that_was_wrapped_counts_as_its_cause(pool: Pool, connection: Connection) -> None:
    told, way = ReportedOnce(), named("web1", connection, port=free_port())
    texts(pool, way, told=told)
    with pytest.raises(HostError) as caught:
        pool.host(way).run(HELLO, resource="updates")
    failure = Failure(f"{caught.value}\nIf it is gone for good ...")
    failure.__cause__ = caught.value
    assert told.text(failure) == "web1: updates: not reached (for the cause, see web1: user deploy)"

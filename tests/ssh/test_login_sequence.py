"""Logins: their sequence, retries, a dead host, a jump host, with a server on loopback."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import asyncssh
import pytest

from hosts.errors import (
    HostError,
    HostKeyChanged,
    LoginRefused,
    Unreachable,
)
from hosts.pool import Pool
from hosts.ssh import dialing
from hosts.ssh import login as sequence
from hosts.ssh.connection import CONNECT_TIMEOUT, Connection, HostAccess
from tests.ssh.conftest import private, public
from tests.ssh.logins import HELLO, free_port, only, refused_by
from tests.ssh.server import Behaviour, Server, serving

# the sequence


def pair(connection: Connection, user_key: asyncssh.SSHKey, **changes: object) -> HostAccess:
    """Admin is the user `deploy`, bootstrap is root."""
    admin = Connection.model_validate({**dict(connection), "user": "deploy", **changes})
    return HostAccess(name="web1", admin=admin, bootstrap=connection, connect_timeout=1)


def test_bootstrap_where_admin_is_refused_then_admin(
    pool: Pool, server: Server, connection: Connection, user_key: asyncssh.SSHKey
) -> None:
    access = pair(connection, user_key)
    host = pool.host(access)
    assert (host.login, host.user) == ("", "")
    assert host.run(HELLO)[0].stdout == "hello\n"
    assert (host.login, host.user) == ("bootstrap", "root")
    server.behaviour.keys = {"deploy": public(user_key)}
    host.close()
    assert host.connect() == "admin"
    assert host.user == "deploy"


def test_once_the_admin_has_got_in_changes_are_proved_by_it(
    pool: Pool, server: Server, connection: Connection, user_key: asyncssh.SSHKey
) -> None:
    host = pool.host(pair(connection, user_key))
    host.connect()
    host.confirm_everywhere(5)
    server.behaviour.keys["deploy"] = public(user_key)
    host.confirm_everywhere(5, login="admin")
    assert host.login == "bootstrap"  # the login that this run used
    host.confirm_everywhere(5)
    assert server.logins == ["root", "root", "deploy", "deploy"]


def test_both_refused_names_both(pool: Pool, server: Server, connection: Connection, user_key: asyncssh.SSHKey) -> None:
    server.behaviour.keys = {}
    error = refused_by(pool, pair(connection, user_key), LoginRefused)
    assert f"admin as deploy@127.0.0.1:{server.port} (with privateKey)" in str(error)
    assert f"bootstrap as root@127.0.0.1:{server.port} (with privateKey)" in str(error)
    tried = len(server.attempts)
    refused_by(pool, pair(connection, user_key), LoginRefused)
    assert len(server.attempts) == tried  # a refusal is remembered, too: more of them would get us banned


def test_a_refused_admin_is_not_tried_again_while_bootstrap_is_waited_for(
    pool: Pool, server: Server, connection: Connection
) -> None:
    admin = connection.model_copy(update={"user": "deploy"})
    bootstrap = connection.model_copy(update={"host": "localhost", "port": free_port()})
    access = HostAccess(name="web1", admin=admin, bootstrap=bootstrap, connect_timeout=1)
    error = refused_by(pool, access, Unreachable)
    assert "refused before that: admin as deploy@" in str(error)
    assert len(server.attempts) == 1


def test_no_fallback_for_a_wrong_host_key(
    pool: Pool, server: Server, connection: Connection, user_key: asyncssh.SSHKey, other_key: asyncssh.SSHKey
) -> None:
    refused_by(pool, pair(connection, user_key, host_key=public(other_key)), HostKeyChanged)
    assert server.attempts == []


def test_an_admin_port_that_is_not_open_yet_falls_back_to_bootstraps(
    pool: Pool, connection: Connection, user_key: asyncssh.SSHKey
) -> None:
    host = pool.host(pair(connection, user_key, port=free_port()))
    assert host.run(HELLO)[0].stdout == "hello\n"
    assert host.login == "bootstrap"


def test_a_booting_host_that_refuses_users_is_waited_for(
    pool: Pool, server: Server, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.behaviour.keys, keys = {}, server.behaviour.keys
    server.behaviour.banner = "System is booting up. See pam_nologin(8)"
    admin_only = HostAccess(name="web1", admin=connection, connect_timeout=10)

    def booted() -> None:
        while not server.attempts:
            attempted.wait(0.01)
        server.behaviour.banner, server.behaviour.keys = "", keys

    attempted = threading.Event()
    boot = threading.Thread(target=booted)
    boot.start()
    assert pool.host(admin_only).run(HELLO)[0].stdout == "hello\n"
    boot.join()


# hosts that do not answer


def test_a_host_that_is_still_booting_is_waited_for(pool: Pool, server: Server, connection: Connection) -> None:
    server.stop_listening()
    access = HostAccess(name="web1", admin=connection, connect_timeout=20)
    results: list[str] = []
    waiting = threading.Thread(target=lambda: results.append(pool.host(access).run(HELLO)[0].stdout))
    waiting.start()
    waiting.join(0.6)
    assert waiting.is_alive()
    server.listen(server.port)
    waiting.join(15)
    assert results == ["hello\n"]


def test_a_dead_host_is_given_up_once_for_all(
    pool: Pool, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    dials: list[str] = []
    original = dialing.dial

    async def counted(*arguments: object) -> object:
        dials.append("dial")
        return await original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sequence, "dial", counted)
    access = only(connection, port=free_port())
    first = refused_by(pool, access, Unreachable)
    assert "Connection refused" in str(first)
    attempts = len(dials)
    assert attempts > 1
    errors: list[HostError] = []

    def read(number: int) -> None:
        try:
            pool.host(access).read(HELLO, resource=f"resource {number}")
        except HostError as error:
            errors.append(error)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(dials) == attempts
    assert {error.resource for error in errors} == {f"resource {number}" for number in range(50)}
    assert {error.message for error in errors} == {first.message}
    # after a while, a single attempt shows whether it is back
    monkeypatch.setattr(sequence, "GIVEN_UP_FOR", 0.0)
    [one_ladder] = pool._ladders
    one_ladder._until = 0.0
    refused_by(pool, access, Unreachable)
    assert len(dials) == attempts + 1


def test_a_run_may_wait_less_for_whoever_is_down(
    pool: Pool, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONNECT_TIMEOUT, "1")
    dead = only(connection, port=free_port()).model_copy(update={"connect_timeout": 600})
    begin = time.monotonic()
    refused_by(pool, dead, Unreachable)
    assert time.monotonic() - begin < 30
    assert dead.model_copy(update={"connect_timeout": 0.5}).patience == 0.5
    monkeypatch.setenv(CONNECT_TIMEOUT, "soon")
    assert dead.patience == 600


def test_a_dead_host_does_not_hold_up_others(pool: Pool, connection: Connection, access: HostAccess) -> None:
    with socket.socket() as silent:  # accepts connections, but never sends anything
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        port = silent.getsockname()[1]
        dead = [only(connection, port=port, user=f"u{number}") for number in range(40)]
        with ThreadPoolExecutor(40) as threads:
            waiting = [threads.submit(pool.host(way).run, HELLO) for way in dead]
            assert pool.host(access).run(HELLO)[0].stdout == "hello\n"
            assert not [future for future in waiting if future.done()]
            pool.close()


def test_the_limit_of_dial_errors(pool: Pool, connection: Connection) -> None:
    access = HostAccess(
        name="web1",
        admin=Connection.model_validate({**dict(connection), "port": free_port(), "dial_error_limit": 1}),
        connect_timeout=600,
    )
    refused_by(pool, access, Unreachable)


def test_an_unknown_name_is_not_tried_again(pool: Pool, connection: Connection) -> None:
    patient = HostAccess(
        name="web1",
        admin=Connection(host="no-such-host.invalid", private_key=connection.private_key),
        connect_timeout=600,
    )
    assert "no-such-host.invalid" in str(refused_by(pool, patient, Unreachable))


# a jump host


def test_hosts_behind_a_jump_host_share_its_connection(
    pool: Pool, server: Server, connection: Connection, user_key: asyncssh.SSHKey, host_key: asyncssh.SSHKey
) -> None:
    with serving(Behaviour(keys={"hop": public(user_key)}), [host_key]) as jump:
        proxy = Connection(
            host="127.0.0.1",
            port=jump.port,
            user="hop",
            private_key=private(user_key),
            host_key=jump.host_key_line(),
        )
        behind = [only(connection, proxy=proxy, per_dial_timeout=5 + number) for number in range(3)]
        for _ in range(2):
            assert [pool.host(way).run(HELLO)[0].stdout for way in behind] == ["hello\n"] * 3
        assert jump.logins == ["hop"]
        assert jump.forwarded == [("127.0.0.1", server.port)] * 3


def test_a_host_behind_a_jump_host_that_does_not_answer_is_tried_again(
    pool: Pool, connection: Connection, user_key: asyncssh.SSHKey, host_key: asyncssh.SSHKey
) -> None:
    with serving(Behaviour(keys={"hop": public(user_key)}, forwarding=None), [host_key]) as jump:
        proxy = Connection(
            host="127.0.0.1", port=jump.port, user="hop", private_key=private(user_key), host_key=jump.host_key_line()
        )
        silent = only(connection, proxy=proxy, per_dial_timeout=1).model_copy(update={"connect_timeout": 4})
        assert "no answer within 1 s" in str(refused_by(pool, silent, Unreachable))
        assert len(jump.forwarded) > 1


def test_a_jump_host_that_fails_is_named(
    pool: Pool, connection: Connection, user_key: asyncssh.SSHKey, host_key: asyncssh.SSHKey
) -> None:
    with serving(Behaviour(keys={"hop": public(user_key)}, forwarding=False), [host_key]) as jump:
        proxy = Connection(
            host="127.0.0.1", port=jump.port, user="hop", private_key=private(user_key), host_key=jump.host_key_line()
        )
        refusing = refused_by(pool, only(connection, proxy=proxy), Unreachable)
        assert "AllowTcpForwarding" in str(refusing)
        stranger = proxy.model_copy(update={"user": "stranger"})
        error = refused_by(pool, only(connection, proxy=stranger), LoginRefused)
        assert f"jump host stranger@127.0.0.1:{jump.port}" in str(error)

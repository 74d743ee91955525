"""The way in: host keys, credentials, the ladder, retries, a dead host, a jump host; against a server on loopback."""

import importlib.util
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncssh
import pytest

from hosts import ladder
from hosts.connection import Connection, HostAccess
from hosts.errors import (
    BadCredentials,
    HostError,
    HostKeyChanged,
    HostKeyUnknown,
    LoginRefused,
    Unreachable,
)
from hosts.pool import Pool
from hosts.shell import Script
from tests.unit.hosts.conftest import private, public
from tests.unit.hosts.server import Behaviour, Server, serving

HELLO = Script("say hello", "echo hello")


def only(connection: Connection, **changes: object) -> HostAccess:
    """Access by this connection alone, with fields changed."""
    admin = Connection.model_validate({**dict(connection), **changes})
    return HostAccess(name="web1", admin=admin, connect_timeout=1)


def refused_by(pool: Pool, access: HostAccess, kind: type[HostError]) -> HostError:
    with pytest.raises(kind) as caught:
        pool.host(access).run(HELLO, resource="users")
    assert str(caught.value).startswith("web1: users: say hello: ")
    return caught.value


# host keys


def test_an_unknown_host_key_prints_the_line_to_pin(pool: Pool, server: Server, connection: Connection) -> None:
    error = refused_by(pool, only(connection, host_key=None), HostKeyUnknown)
    assert f"hostKey: {server.host_key_line()}" in str(error)
    assert server.host_keys[0].get_fingerprint() in str(error)
    assert server.logins == []
    pinned = only(connection, host_key=server.host_key_line())
    assert pool.host(pinned).run(HELLO)[0].stdout == "hello\n"


def test_a_changed_host_key_names_both(
    pool: Pool, server: Server, connection: Connection, other_key: asyncssh.SSHKey
) -> None:
    error = refused_by(pool, only(connection, host_key=public(other_key)), HostKeyChanged)
    assert other_key.get_fingerprint() in str(error)
    assert server.host_keys[0].get_fingerprint() in str(error)
    assert server.attempts == []


def test_a_key_of_another_type_is_told_as_changed(pool: Pool, connection: Connection) -> None:
    rsa = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    error = refused_by(pool, only(connection, host_key=public(rsa)), HostKeyChanged)
    assert rsa.get_fingerprint() in str(error)


def test_known_hosts_decides_where_nothing_is_pinned(
    pool: Pool, server: Server, connection: Connection, other_key: asyncssh.SSHKey
) -> None:
    file = Path(os.environ["HOME"]) / ".ssh/known_hosts"
    file.write_text(f"[127.0.0.1]:{server.port} {server.host_key_line()}\n")
    assert pool.host(only(connection, host_key=None)).run(HELLO)[0].stdout == "hello\n"
    file.write_text(f"[127.0.0.1]:{server.port} {public(other_key)}\n")
    refused_by(pool, only(connection, host_key=None, known_hosts_file=str(file)), HostKeyChanged)
    file.write_text(f"@revoked * {server.host_key_line()}\n")
    revoked = refused_by(pool, only(connection, host_key=None, known_hosts_file=str(file), user="x"), HostKeyChanged)
    assert "revoked" in str(revoked)


def test_a_host_with_several_keys_is_asked_for_the_known_one(
    pool: Pool, user_key: asyncssh.SSHKey, host_key: asyncssh.SSHKey
) -> None:
    ecdsa = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    with serving(Behaviour(keys={"root": public(user_key)}), [host_key, ecdsa]) as server:
        for number in (0, 1):
            login = Connection(
                host="127.0.0.1",
                port=server.port,
                private_key=private(user_key),
                host_key=server.host_key_line(number),
            )
            assert pool.host(HostAccess(name="web1", admin=login)).run(HELLO)[0].stdout == "hello\n"


# credentials


def test_a_key_file_relative_to_the_working_directory(
    pool: Pool, connection: Connection, user_key: asyncssh.SSHKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "id").write_text(private(user_key))
    monkeypatch.chdir(tmp_path)
    host = pool.host(only(connection, private_key=None, private_key_file="id"))
    assert host.run(HELLO)[0].stdout == "hello\n"


def test_a_locked_key_opens_with_its_passphrase(pool: Pool, connection: Connection, user_key: asyncssh.SSHKey) -> None:
    locked = user_key.export_private_key("pkcs8-pem", passphrase="open sesame").decode()
    host = pool.host(only(connection, private_key=locked, private_key_password="open sesame"))
    assert host.run(HELLO)[0].stdout == "hello\n"
    for phrase in (None, "wrong phrase"):
        error = refused_by(pool, only(connection, private_key=locked, private_key_password=phrase), BadCredentials)
        assert "passphrase" in str(error)
        assert "wrong phrase" not in str(error)


def test_a_locked_openssh_key(pool: Pool, connection: Connection, user_key: asyncssh.SSHKey, tmp_path: Path) -> None:
    """As ssh-keygen makes them: bcrypt is needed, and named where it is missing."""
    path = tmp_path / "id"
    path.write_text(private(user_key))
    path.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", path], check=True, stdout=subprocess.DEVNULL)
    access = only(connection, private_key=None, private_key_file=str(path), private_key_password="open sesame")
    if importlib.util.find_spec("bcrypt"):
        assert pool.host(access).run(HELLO)[0].stdout == "hello\n"
    else:
        assert "need the Python package bcrypt" in str(refused_by(pool, access, BadCredentials))


def test_a_missing_or_broken_key_file_is_told_before_anything_is_sent(
    pool: Pool, server: Server, connection: Connection, tmp_path: Path
) -> None:
    missing = tmp_path / "none"
    error = refused_by(pool, only(connection, private_key=None, private_key_file=str(missing)), BadCredentials)
    assert f"{missing} cannot be read: No such file" in str(error)
    broken = tmp_path / "broken"
    broken.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nrubbish\n-----END OPENSSH PRIVATE KEY-----\n")
    error = refused_by(pool, only(connection, private_key=None, private_key_file=str(broken)), BadCredentials)
    assert "rubbish" not in str(error)
    assert server.attempts == []


@pytest.mark.parametrize("keyboard_interactive", [False, True])
def test_a_password(pool: Pool, server: Server, connection: Connection, keyboard_interactive: bool) -> None:
    server.behaviour.passwords["root"] = "right word"
    server.behaviour.keyboard_interactive = keyboard_interactive
    host = pool.host(only(connection, private_key=None, password="right word"))
    assert host.run(HELLO)[0].stdout == "hello\n"
    error = refused_by(pool, only(connection, private_key=None, password="wrong word"), LoginRefused)
    assert "(with password)" in str(error)
    assert "wrong word" not in str(error)


def test_without_key_and_password_the_default_keys_are_tried(
    pool: Pool, connection: Connection, user_key: asyncssh.SSHKey
) -> None:
    nothing = refused_by(pool, only(connection, private_key=None), LoginRefused)
    assert "no key, password or agent" in str(nothing)
    path = Path(os.environ["HOME"]) / ".ssh/id_ed25519"
    path.write_text(private(user_key))
    assert pool.host(only(connection, private_key=None, user="root", per_dial_timeout=9)).run(HELLO)[0].ran


@pytest.fixture
def agent(tmp_path: Path, other_key: asyncssh.SSHKey, user_key: asyncssh.SSHKey) -> Iterator[str]:
    """An ssh-agent with two keys, the second of which is let in."""
    path = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()  # it listens by then
    for key in (other_key, user_key):
        environment = {**os.environ, "SSH_AUTH_SOCK": path}
        subprocess.run(["ssh-add", "-q", "-"], input=private(key).encode(), env=environment, check=True)
    yield path
    process.terminate()
    process.wait(5)


def test_agents(
    pool: Pool,
    server: Server,
    connection: Connection,
    agent: str,
    monkeypatch: pytest.MonkeyPatch,
    host_key: asyncssh.SSHKey,
) -> None:
    asked = pool.host(only(connection, private_key=None, agent_socket_path=agent))
    assert asked.run(HELLO)[0].stdout == "hello\n"
    monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    assert pool.host(only(connection, private_key=None)).run(HELLO)[0].stdout == "hello\n"
    # a key that is named is used alone, or before the agent's where both are asked for
    server.attempts.clear()
    refused_by(pool, only(connection, private_key=private(host_key)), LoginRefused)
    assert {key for _, key in server.attempts} == {public(host_key)}
    server.attempts.clear()
    both = pool.host(only(connection, private_key=private(host_key), agent_socket_path=agent))
    assert both.run(HELLO)[0].stdout == "hello\n"
    assert server.attempts[0] == ("root", public(host_key))


def test_an_agent_that_is_not_there(pool: Pool, connection: Connection, tmp_path: Path) -> None:
    access = only(connection, private_key=None, agent_socket_path=str(tmp_path / "none"))
    assert "does not answer" in str(refused_by(pool, access, BadCredentials))


# the ladder


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


def test_both_refused_names_both(pool: Pool, server: Server, connection: Connection, user_key: asyncssh.SSHKey) -> None:
    server.behaviour.keys = {}
    error = refused_by(pool, pair(connection, user_key), LoginRefused)
    assert f"admin as deploy@127.0.0.1:{server.port} (with privateKey)" in str(error)
    assert f"bootstrap as root@127.0.0.1:{server.port} (with privateKey)" in str(error)
    tried = len(server.attempts)
    refused_by(pool, pair(connection, user_key), LoginRefused)
    assert len(server.attempts) == tried  # a refusal is remembered too: it would get us banned


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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    original = ladder.dial

    async def counted(*arguments: object) -> object:
        dials.append("dial")
        return await original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ladder, "dial", counted)
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
    # after a while one single attempt shows whether it is back
    monkeypatch.setattr(ladder, "GIVEN_UP_FOR", 0.0)
    [one_ladder] = pool._ladders
    one_ladder._until = 0.0
    refused_by(pool, access, Unreachable)
    assert len(dials) == attempts + 1


def test_a_dead_host_does_not_hold_up_others(pool: Pool, connection: Connection, access: HostAccess) -> None:
    with socket.socket() as silent:  # accepts, and never says a word
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

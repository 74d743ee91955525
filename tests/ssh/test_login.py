"""Logins: host keys and credentials, with a server on loopback."""

import importlib.util
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from hosts.errors import (
    BadCredentials,
    HostKeyChanged,
    HostKeyUnknown,
    LoginRefused,
)
from hosts.pool import Pool
from hosts.ssh.connection import Connection, HostAccess
from tests.ssh.conftest import private, public
from tests.ssh.logins import HELLO, only, refused_by
from tests.ssh.server import Behaviour, Server, serving

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
    """As written by ssh-keygen: bcrypt is needed, and named if it is missing."""
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


BAD_KEY_FILES = {
    "missing": (None, "cannot be read: No such file"),
    "directory": ("folder", "is a directory"),
    "pipe": ("pipe", "is not a file"),
    "empty": (b"", "is empty"),
    "huge": (b"x" * (2**20 + 1), "larger than 1 MB"),
    "binary": (b"\x30\x82\x01\x00\xff\x00", "is not a text file"),
    "utf-16": ("-----BEGIN OPENSSH PRIVATE KEY-----".encode("utf-16"), "is UTF-16"),
    "utf-16, no mark": ("-----BEGIN OPENSSH PRIVATE KEY-----".encode("utf-16-le"), "is UTF-16"),
    "byte order mark": (b"\xef\xbb\xbf-----BEGIN OPENSSH PRIVATE KEY-----", "begins with a byte order mark"),
    "public": (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI deploy\n", "is a public key"),
    "public, SSH2": (b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", "is a public key"),
    "PuTTY": (b"PuTTY-User-Key-File-3: ssh-ed25519\r\n", "puttygen KEY.ppk -O private-openssh-new"),
    "something else": (b"hello\n", "is not a private key"),
    "damaged": (b"-----BEGIN OPENSSH PRIVATE KEY-----\nrubbish\n-----END OPENSSH PRIVATE KEY-----\n", "can be parsed"),
}


@pytest.mark.parametrize("what", BAD_KEY_FILES)
def test_a_key_file_that_is_none_is_told_in_a_sentence(
    pool: Pool, server: Server, connection: Connection, tmp_path: Path, what: str
) -> None:
    content, told = BAD_KEY_FILES[what]
    path = tmp_path / "id"
    if content == "folder":
        path.mkdir()
    elif content == "pipe":
        os.mkfifo(path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    error = refused_by(pool, only(connection, private_key=None, private_key_file=str(path)), BadCredentials)
    assert f"privateKeyFile {path} " in str(error)
    assert told in str(error)
    assert "\n" not in str(error)
    assert server.attempts == []


@pytest.fixture
def certified(tmp_path: Path, server: Server, other_key: asyncssh.SSHKey) -> Path:
    """A key that the server does not accept, and beside it a certificate from an authority that it trusts."""
    path, authority = tmp_path / "id", tmp_path / "ca"
    for name in (path, authority):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name], check=True)
    sign = ["ssh-keygen", "-q", "-s", authority, "-I", "operator", "-n", "root", "-V", "-1h:+1h", f"{path}.pub"]
    subprocess.run(sign, check=True)
    server.behaviour.keys.clear()
    server.behaviour.authorities["root"] = " ".join(authority.with_suffix(".pub").read_text().split()[:2])
    return path


def test_the_certificate_beside_a_key_file_is_offered(
    pool: Pool, server: Server, connection: Connection, certified: Path, other_key: asyncssh.SSHKey
) -> None:
    way = only(connection, private_key=None, private_key_file=str(certified))
    assert pool.host(way).run(HELLO)[0].stdout == "hello\n"
    # a host that does not trust the authority, but accepts the key
    server.behaviour.authorities.clear()
    server.behaviour.keys["root"] = " ".join(certified.with_suffix(".pub").read_text().split()[:2])
    pool.close()
    assert pool.host(way).run(HELLO)[0].stdout == "hello\n"
    # one that accepts neither: what was tried is reported
    server.behaviour.keys.clear()
    pool.close()
    assert f"key {certified} and its certificate" in str(refused_by(pool, way, LoginRefused))
    # an invalid certificate, or one for another key, is ignored, as by ssh
    certified.with_name("id-cert.pub").write_text("rubbish")
    pool.close()
    assert f"(with key {certified})" in str(refused_by(pool, way, LoginRefused))


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
    """An ssh-agent with two keys, the second of which is accepted."""
    path = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()  # by then it listens
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
    # a named key is used alone, or before the agent's if both are requested
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

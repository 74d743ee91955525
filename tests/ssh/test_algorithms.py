"""The algorithms that our side of a connection offers, and connections to hosts that are too old for them."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncssh
import pytest
from pydantic import ValidationError

from hosts.errors import HostError, HostKeyChanged, HostKeyUnknown, LoginRefused, NotSupported, Unreachable
from hosts.pool import Pool
from hosts.ssh.connection import Connection, HostAccess
from tests.ssh.conftest import private, public
from tests.ssh.server import Behaviour, Server, serving

LISTS = ("kex", "host keys", "ciphers", "ciphers back", "macs", "macs back")
NEVER = ("md5", "3des", "arcfour", "cbc", "-96", "group1-", "ripemd", "rsa1024", "none,")
SHA1 = ("sha1", "ssh-rsa", "ssh-dss", "umac-64")


@pytest.fixture(scope="module")
def small_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-rsa", key_size=1024)


@pytest.fixture(scope="module")
def rsa_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-rsa", key_size=2048)


@pytest.fixture(scope="module")
def dsa_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-dss")


@contextmanager
def old_server(user: asyncssh.SSHKey, keys: list[asyncssh.SSHKey], **options: Any) -> Iterator[Server]:
    """A server that supports only the algorithms in `options`."""
    with serving(Behaviour(keys={"root": public(user)}, options=options), keys) as server:
        yield server


def login(server: Server, user: asyncssh.SSHKey, *, old: bool = False, **more: Any) -> HostAccess:
    more.setdefault("host_key", server.host_key_line())
    way = Connection(host="127.0.0.1", port=server.port, private_key=private(user), old_algorithms=old, **more)
    return HostAccess(name="web1", admin=way, connect_timeout=20)


def failure(pool: Pool, access: HostAccess) -> HostError:
    with pytest.raises(HostError) as failed:
        pool.host(access).connect()
    assert "\n" in str(failed.value)
    return failed.value


def offered(pool: Pool, *, old: bool) -> dict[str, str]:
    """Read the first packet that we send (RFC 4253, 7.1), as it is on the wire."""
    told: list[bytes] = []

    def listen(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        listener.close()
        with peer, peer.makefile("rb") as stream:
            peer.sendall(b"SSH-2.0-Test\r\n")
            stream.readline()
            size = struct.unpack(">I", stream.read(4))[0]
            told.append(stream.read(size))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listen, args=[listener])
        thread.start()
        way = Connection(
            host="127.0.0.1", port=listener.getsockname()[1], known_hosts_file="/dev/null", old_algorithms=old
        )
        with pytest.raises(Unreachable):
            pool.host(HostAccess(name="web1", admin=way, connect_timeout=1)).connect()
        thread.join()
    packet, lists = told[0][18:], {}
    for name in LISTS:
        size = struct.unpack(">I", packet[:4])[0]
        lists[name], packet = packet[4 : 4 + size].decode(), packet[4 + size :]
    return lists


@pytest.mark.parametrize("old", [False, True])
def test_nothing_broken_is_offered(pool: Pool, old: bool) -> None:
    lists = offered(pool, old=old)
    assert all(len(names.split(",")) > 3 for names in lists.values())
    assert not [name for name in NEVER for names in lists.values() if name in f"{names},"]
    found = {name for name in SHA1 for names in lists.values() if name in names}
    assert found == (set(SHA1) if old else set())
    weak = {name: names for name, names in lists.items() if old and not names.split(",")[0].endswith("sha1")}
    assert not old or len(weak) == len(LISTS)  # strong ones come first


GOOD = {
    "OpenSSH 6.0": {
        "kex_algs": ["ecdh-sha2-nistp256", "diffie-hellman-group14-sha1"],
        "mac_algs": ["hmac-md5", "hmac-sha1", "umac-64@openssh.com", "hmac-sha2-256"],
        "encryption_algs": ["aes128-cbc", "aes128-ctr"],
        "server_version": "OpenSSH_6.0p1",
    },
    "OpenSSH 5.9": {
        "kex_algs": ["diffie-hellman-group-exchange-sha256", "diffie-hellman-group-exchange-sha1"],
        "mac_algs": ["hmac-sha2-512"],
        "encryption_algs": ["aes256-ctr"],
    },
}
OLD = {
    "key exchange": {"kex_algs": ["diffie-hellman-group14-sha1"]},
    "group exchange": {"kex_algs": ["diffie-hellman-group-exchange-sha1"]},
    "MAC": {"mac_algs": ["hmac-sha1"], "encryption_algs": ["aes128-ctr"]},
}
HOPELESS = {
    "group1": {"kex_algs": ["diffie-hellman-group1-sha1"]},
    "3des": {"encryption_algs": ["3des-cbc"]},
    "cbc": {"encryption_algs": ["aes256-cbc"]},
    "arcfour": {"encryption_algs": ["arcfour256"]},
    "md5": {"mac_algs": ["hmac-md5"], "encryption_algs": ["aes128-ctr"]},
    "cut": {"mac_algs": ["hmac-sha1-96"], "encryption_algs": ["aes128-ctr"]},
}


@pytest.mark.parametrize("version", GOOD)
def test_servers_of_ten_years_ago_need_no_setting(
    pool: Pool, version: str, host_key: asyncssh.SSHKey, user_key: asyncssh.SSHKey
) -> None:
    with old_server(user_key, [host_key], **GOOD[version]) as server:
        assert pool.host(login(server, user_key)).connect() == "admin"


@pytest.mark.parametrize("what", OLD)
def test_an_old_host_needs_the_setting_that_the_error_names(
    pool: Pool, what: str, host_key: asyncssh.SSHKey, user_key: asyncssh.SSHKey
) -> None:
    with old_server(user_key, [host_key], **OLD[what]) as server:
        error = failure(pool, login(server, user_key))
        assert isinstance(error, NotSupported)
        assert "`oldAlgorithms: true`" in str(error)
        assert pool.host(login(server, user_key, old=True)).connect() == "admin"


@pytest.mark.parametrize("what", HOPELESS)
def test_what_is_broken_is_not_had_by_any_setting(
    pool: Pool, what: str, host_key: asyncssh.SSHKey, user_key: asyncssh.SSHKey
) -> None:
    with old_server(user_key, [host_key], **HOPELESS[what]) as server, pytest.raises(NotSupported):
        pool.host(login(server, user_key, old=True)).connect()


def test_an_rsa_key_is_never_proved_by_sha1(pool: Pool, host_key: asyncssh.SSHKey, rsa_key: asyncssh.SSHKey) -> None:
    options = {"signature_algs": ["ssh-rsa"], "server_version": "OpenSSH_6.6.1p1"}
    with old_server(rsa_key, [host_key], **options) as server:
        with pytest.raises(LoginRefused, match=r"supports RSA keys with SHA-1 only.*`oldAlgorithms: true`"):
            pool.host(login(server, rsa_key)).connect()
        assert not server.attempts
        assert pool.host(login(server, rsa_key, old=True)).connect() == "admin"


def test_a_host_that_proves_its_rsa_key_by_sha1_alone_is_no_alarm(
    pool: Pool, host_key: asyncssh.SSHKey, rsa_key: asyncssh.SSHKey, user_key: asyncssh.SSHKey
) -> None:
    """It shows its other key, which is not the pinned one, but it is the same host."""
    [pair] = asyncssh.load_keypairs(rsa_key)
    pair.host_key_algorithms = (b"ssh-rsa",)
    options = {"server_host_keys": [pair, host_key], "server_version": "OpenSSH_6.6.1p1"}
    with old_server(user_key, [rsa_key], **options) as server:
        error = failure(pool, login(server, user_key))
        assert isinstance(error, HostKeyChanged)
        assert "Or it is the same: OpenSSH before 7.2" in str(error)
        assert "`oldAlgorithms: true`" in str(error)
        assert pool.host(login(server, user_key, old=True)).connect() == "admin"


@pytest.mark.parametrize("kind", ["small_key", "dsa_key"])
def test_a_key_that_can_be_broken_is_neither_pinned_nor_known(
    pool: Pool, kind: str, request: pytest.FixtureRequest, user_key: asyncssh.SSHKey, tmp_path: Any
) -> None:
    weak = request.getfixturevalue(kind)
    name = {"small_key": "an RSA key of 1024 bits", "dsa_key": "a DSA key"}[kind]
    with pytest.raises(ValidationError, match=f"hostKey: {name}, which is too weak: .*`oldAlgorithms: true`"):
        Connection(host="web1", host_key=public(weak))
    assert Connection(host="web1", host_key=public(weak), old_algorithms=True).host_key == public(weak)
    file = tmp_path / "known_hosts"
    with old_server(user_key, [weak]) as server:
        file.write_text(f"[127.0.0.1]:{server.port} {public(weak)}\n")
        known = {"host_key": None, "known_hosts_file": str(file)}
        error = failure(pool, login(server, user_key, **known))
        assert isinstance(error, HostKeyUnknown | NotSupported)
        assert "`oldAlgorithms: true`" in str(error)
        assert "hostKey: ssh-" not in str(error)  # that would be the line to pin
        assert pool.host(login(server, user_key, old=True, **known)).connect() == "admin"


def test_a_pin_that_is_damaged_is_told(rsa_key: asyncssh.SSHKey) -> None:
    with pytest.raises(ValidationError, match="hostKey: the key is damaged"):
        Connection(host="web1", host_key=f"ssh-rsa {public(rsa_key).split()[1][:100]}")

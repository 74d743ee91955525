"""The host keys that are trusted, from a pinned line or known_hosts files."""

import base64
import hashlib
import hmac
import os
from pathlib import Path

import asyncssh
import pytest

from hosts.errors import BadCredentials, HostKeyUnknown
from hosts.ssh.connection import Connection, HostAccess
from hosts.ssh.hostkeys import Shown, fingerprint, key_line, refusal, trust_of
from tests.ssh.conftest import public


def known(tmp_path: Path, text: str, host: str = "web1", port: int = 22, **more: str) -> Connection:
    file = tmp_path / "known_hosts"
    file.write_text(text)
    return Connection(host=host, port=port, known_hosts_file=str(file), **more)


def hashed(name: str) -> str:
    salt = b"0123456789abcdefghij"
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def test_the_pinned_key_is_the_only_one(host_key: asyncssh.SSHKey, other_key: asyncssh.SSHKey, tmp_path: Path) -> None:
    connection = known(tmp_path, f"web1 {public(other_key)}\n", host_key=public(host_key))
    assert trust_of(connection).lists() == ([host_key.convert_to_public()], [], [])


@pytest.mark.parametrize(
    ("entry", "port"),
    [
        ("web1", 22),
        ("web1,203.0.113.10", 22),
        ("web*", 22),
        ("[web1]:2222", 2222),
        ("web1", 2222),  # ssh falls back to the name without port
        (hashed("web1"), 22),
        (hashed("[web1]:2222"), 2222),
    ],
)
def test_known_hosts_entries(entry: str, port: int, host_key: asyncssh.SSHKey, tmp_path: Path) -> None:
    text = f"# comment\ngarbage\n@strange web1 x y\n{entry} {public(host_key)}\n"
    assert trust_of(known(tmp_path, text, port=port)).keys == (host_key.convert_to_public(),)


def test_others_entries_are_not_ours(host_key: asyncssh.SSHKey, tmp_path: Path) -> None:
    text = f"web2 {public(host_key)}\n[web1]:2222 {public(host_key)}\n!web1,web* {public(host_key)}\n"
    assert trust_of(known(tmp_path, text)).keys == ()


def test_markers(host_key: asyncssh.SSHKey, other_key: asyncssh.SSHKey, tmp_path: Path) -> None:
    trust = trust_of(known(tmp_path, f"@revoked * {public(other_key)}\n@cert-authority web1 {public(host_key)}\n"))
    assert trust.lists() == ([], [host_key.convert_to_public()], [other_key.convert_to_public()])
    assert trust.algorithms()[0].endswith("cert-v01@openssh.com")


def test_an_alias_is_looked_up_instead(host_key: asyncssh.SSHKey, tmp_path: Path) -> None:
    text = f"[web1]:2222 {public(host_key)}\n"
    connection = known(tmp_path, text, host="203.0.113.1", host_key_alias="[web1]:2222")
    assert trust_of(connection).keys == (host_key.convert_to_public(),)


def test_known_key_types_are_asked_for_first_and_others_too(tmp_path: Path) -> None:
    rsa = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    algorithms = trust_of(known(tmp_path, f"web1 {public(rsa)}\n")).algorithms()
    assert algorithms[0].startswith("rsa-sha2")
    assert "ssh-ed25519" in algorithms


def test_a_file_that_changes_is_read_again(
    tmp_path: Path, host_key: asyncssh.SSHKey, other_key: asyncssh.SSHKey
) -> None:
    connection = known(tmp_path, f"web1 {public(other_key)}\n")
    assert trust_of(connection).keys == (other_key.convert_to_public(),)
    assert known(tmp_path, f"web1 {public(host_key)}\n") == connection
    assert trust_of(connection).keys == (host_key.convert_to_public(),)


@pytest.mark.parametrize(("before", "after"), [(22, 2222), (2222, 22), (2022, 2222)])
def test_both_logins_are_of_one_machine(
    before: int, after: int, host_key: asyncssh.SSHKey, other_key: asyncssh.SSHKey, tmp_path: Path
) -> None:
    """sshd moves: known_hosts has the host with its former port, as ssh wrote it."""
    entry = "web1" if before == 22 else f"[web1]:{before}"
    old = known(tmp_path, f"{entry} {public(host_key)}\nweb2 {public(other_key)}\n", port=before)
    new = old.model_copy(update={"user": "deploy", "port": after})
    access = HostAccess(name="web1", admin=new, bootstrap=old)
    for _, connection in (*access.logins(), *access.logins_in_order(), *access.only("admin").logins()):
        assert trust_of(connection).keys == (host_key.convert_to_public(),)
    elsewhere = HostAccess(name="web1", admin=new.model_copy(update={"host": "web3"}), bootstrap=old)
    assert trust_of(elsewhere.logins()[0][1]).keys == ()


def test_a_key_pinned_for_one_login_is_that_of_the_machine(
    host_key: asyncssh.SSHKey, other_key: asyncssh.SSHKey, tmp_path: Path
) -> None:
    pinned = known(tmp_path, f"[web1]:2222 {public(other_key)}\n", host_key=public(host_key))
    other = known(tmp_path, f"[web1]:2222 {public(other_key)}\n", port=2222)
    logins = dict(HostAccess(name="web1", admin=other, bootstrap=pinned).logins())
    assert trust_of(logins["admin"]).keys == (host_key.convert_to_public(),)
    assert "known_as" not in HostAccess(name="web1", admin=other, bootstrap=pinned).model_dump()["admin"]


def test_the_own_port_goes_before_and_what_is_revoked_anywhere_is_revoked(
    host_key: asyncssh.SSHKey, other_key: asyncssh.SSHKey, tmp_path: Path
) -> None:
    text = f"web1 {public(other_key)}\n[web1]:2222 {public(host_key)}\n@revoked [web1]:2022 {public(other_key)}\n"
    assert trust_of(known(tmp_path, text, port=2222)).keys == (host_key.convert_to_public(),)
    trust = trust_of(known(tmp_path, text, port=2022))
    assert (trust.keys, trust.revoked) == ((other_key.convert_to_public(),),) * 2


def test_another_key_than_the_one_known_without_port_is_unknown_not_changed(
    host_key: asyncssh.SSHKey, other_key: asyncssh.SSHKey, tmp_path: Path
) -> None:
    """As for ssh, another port of the same address may be another machine."""
    connection = known(tmp_path, f"WEB1 {public(other_key)}\nweb1 {public(other_key)}\n", host="Web1", port=2222)
    error = refusal(connection, trust_of(connection), Shown(host_key.convert_to_public()), "")
    assert isinstance(error, HostKeyUnknown)
    assert f"hostKey: {public(host_key)}" in str(error)


def test_default_files_may_be_missing_a_named_one_may_not(tmp_path: Path) -> None:
    assert trust_of(Connection(host="web1")).keys == ()
    assert trust_of(Connection(host="web1", known_hosts_file="/dev/null")).keys == ()
    with pytest.raises(BadCredentials, match=r"knownHostsFile .*none cannot be read: No such file"):
        trust_of(Connection(host="web1", known_hosts_file=str(tmp_path / "none")))


def test_a_file_that_ssh_cannot_read_either_is_told(
    host_key: asyncssh.SSHKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As written by `ssh-keyscan HOST > known_hosts` in PowerShell."""
    named = known(tmp_path, "")
    default = Path(os.environ["HOME"]) / ".ssh/known_hosts"
    for path in (Path(str(named.known_hosts_file)), default):
        path.write_text(f"web1 {public(host_key)}\n", encoding="utf-16")
    with pytest.raises(BadCredentials, match=r"knownHostsFile .*known_hosts is UTF-16"):
        trust_of(named)
    unnamed = Connection(host="web1")
    error = refusal(unnamed, trust_of(unnamed), Shown(host_key.convert_to_public()), "")
    assert f"{default} is UTF-16" in str(error)


def test_what_is_printed_is_what_ssh_keygen_prints(host_key: asyncssh.SSHKey) -> None:
    raw = base64.b64decode(key_line(host_key).split()[1])
    digest = base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
    assert fingerprint(host_key) == f"ssh-ed25519 SHA256:{digest}"
    assert Connection(host="web1", host_key=key_line(host_key)).host_key == key_line(host_key)

"""The models of a connection: what they accept, what they refuse, what they never show."""

import asyncssh
import pytest
from pydantic import SecretStr, ValidationError

from hosts.errors import (
    BadCredentials,
    CommandFailed,
    ConnectionLost,
    HostError,
    HostKeyChanged,
    HostKeyUnknown,
    LoginRefused,
    NotSupported,
    SudoRefused,
    TimedOut,
    Unreachable,
)
from hosts.ssh.connection import SECRET_FIELDS, Connection, HostAccess
from tests.ssh.conftest import private, public


def test_names_are_those_of_pulumi_command(host_key: asyncssh.SSHKey, user_key: asyncssh.SSHKey) -> None:
    key = private(user_key)
    given = {
        "host": "web1.example.org",
        "port": 2222.0,  # numbers in Pulumi are floats
        "user": "admin",
        "password": "p",
        "privateKey": key,
        "privateKeyPassword": "q",
        "agentSocketPath": "/run/agent",
        "hostKey": public(host_key),
        "dialErrorLimit": 3,
        "perDialTimeout": 5,
        "proxy": {"host": "jump.example.org", "proxy": {"host": "outer.example.org"}},
    }
    connection = Connection.model_validate(given)
    assert (connection.port, connection.dial_error_limit) == (2222, 3)
    assert connection.private_key == SecretStr(key)
    assert connection.proxy == Connection(host="jump.example.org", proxy=Connection(host="outer.example.org"))
    assert connection.address == "admin@web1.example.org:2222"
    assert hash(connection) == hash(Connection.model_validate(given))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("host", "", "a host name"),
        ("host", "web 1", "a host name"),
        ("host", "web1\n-oProxyCommand", "a host name"),
        ("host", "root@web1", "a host name"),
        ("port", 0, "greater"),
        ("port", 70000, "less"),
        ("user", "a b", "match"),
        ("hostKey", "not a key", "ssh-keyscan"),
        ("hostKey", "web1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA", "leave it out"),
        ("privateKey", "~/.ssh/id_ed25519", "privateKeyFile"),
        ("privateKey", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA", "public key"),
        ("privateKey", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n", "private key is expected"),
        ("sudoPassword", "a\nb", "one line"),
        ("pasword", "typing error", "Extra inputs"),
    ],
)
def test_bad_values_are_told_without_being_shown(field: str, value: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        Connection.model_validate({"host": "web1", field: value})
    if field in SECRET_FIELDS:
        assert str(value) not in str(caught.value)


def test_one_login_at_least() -> None:
    with pytest.raises(ValidationError, match="at least one"):
        HostAccess(name="web1")


def test_secrets_are_in_no_repr(user_key: asyncssh.SSHKey) -> None:
    key = private(user_key)
    jump = Connection(host="jump", password=SecretStr("jump-word"))
    login = Connection(
        host="web1",
        password=SecretStr("login-word"),
        private_key=SecretStr(key),
        private_key_password=SecretStr("phrase-word"),
        sudo_password=SecretStr("sudo-word"),
        proxy=jump,
    )
    access = HostAccess(name="web1", admin=login)
    shown = f"{access} {access!r} {login} {login!r} {access.model_dump()}"
    words = ["login-word", "phrase-word", "sudo-word", "jump-word"]
    assert not [word for word in [*words, key.splitlines()[1]] if word in shown]
    assert set(words) < set(access.secrets())


ERRORS = [
    HostError,
    Unreachable,
    HostKeyUnknown,
    HostKeyChanged,
    LoginRefused,
    BadCredentials,
    SudoRefused,
    CommandFailed,
    TimedOut,
    ConnectionLost,
    NotSupported,
]


def test_errors_tell_place_and_mending() -> None:
    error = CommandFailed(exit_status=2, stderr_tail="x\niptables-restore: line 4 failed\n", host="web1", step="load")
    assert str(error.during(resource="firewall ipv4")) == (
        "web1: firewall ipv4: load: exit status 2: x\niptables-restore: line 4 failed"
    )
    assert error.resource == ""
    hinted = NotSupported("gentoo is not supported", host="web1", hint="Supported: Debian.")
    assert str(hinted) == "web1: gentoo is not supported\n  Supported: Debian."
    assert error.during(resource="x").exit_status == 2


def test_errors_mask_secrets_in_every_field_and_form(user_key: asyncssh.SSHKey) -> None:
    key = private(user_key)
    secrets = ("it's me", key)
    leak = "it's me and 'it'\\''s me' and " + key.splitlines()[1]
    error = HostError(leak, host="web1", resource=leak, step=leak, hint=leak, secrets=secrets)
    failed = CommandFailed(exit_status=1, stderr_tail="\n".join([leak] * 30), secrets=secrets)
    for shown in (str(error), repr(error), str(error.args), str(failed), repr(failed), failed.stderr_tail):
        assert "me" not in shown
        assert key.splitlines()[1] not in shown
        assert "***" in shown


def test_a_secret_that_the_tail_would_cut_is_masked_first() -> None:
    secret = "\n".join(f"secret line {n}" for n in range(40))
    assert "secret line" not in str(CommandFailed(stderr_tail=secret, secrets=(secret,)))


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_survives_being_told_for_another_resource(kind: type[HostError]) -> None:
    error = kind("what", host="web1", hint="how")
    told = error.during(resource="users", step="observe")
    assert type(told) is kind
    assert str(told) == "web1: users: observe: what\n  how"

"""Logins that succeed but are unusable: the next one is used, and the problem is reported."""

import asyncssh
import pytest

from hosts.errors import LoginRefused, ShellRefused, SudoRefused, Useless
from hosts.pool import Pool
from hosts.shell import Script
from hosts.ssh.connection import Connection, HostAccess
from tests.ssh.conftest import public
from tests.ssh.logins import HELLO, refused_by
from tests.ssh.server import Server

SUDO_ASKS = "echo 'sudo: a password is required' >&2; exit 1"
FAULTS = {
    "sudo asks": (SUDO_ASKS, "sudo asks deploy for a password"),
    "no sudoers": ("echo 'deploy is not in the sudoers file.' >&2; exit 1", "deploy may not use sudo"),
    "no sudo": ("echo 'sh: 1: exec: sudo: not found' >&2; exit 127", "there is no sudo on the host"),
    "requiretty": ("echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1", "requiretty"),
    "nologin": ("echo 'This account is currently not available.'; exit 1", "the login shell of deploy refuses logins"),
    "false": ("exit 1", "deploy gets no shell"),
    "forced": ("cat >/dev/null; echo 'only backups here'", "ForceCommand in sshd_config"),
    "forced echo": ("cat", "exit status 0; it said: what it was sent"),
    "expired": ("echo 'Password change required but no TTY available.' >&2; exit 1", "password of deploy has expired"),
}


@pytest.fixture
def access(server: Server, connection: Connection, user_key: asyncssh.SSHKey) -> HostAccess:
    """deploy is the admin, with the same key as root."""
    server.behaviour.keys["deploy"] = public(user_key)
    admin = connection.model_copy(update={"user": "deploy"})
    return HostAccess(name="web1", admin=admin, bootstrap=connection, connect_timeout=1)


@pytest.mark.parametrize("reading", [True, False])
@pytest.mark.parametrize("fault", FAULTS)
def test_bootstrap_is_used_instead(pool: Pool, server: Server, access: HostAccess, fault: str, reading: bool) -> None:
    server.behaviour.forced["deploy"] = FAULTS[fault][0]
    host = pool.host(access)
    answer = host.read(HELLO) if reading else host.run(HELLO)[0]
    assert answer.stdout == "hello\n"
    assert (host.login, host.user, host.entered().user) == ("bootstrap", "root", "root")
    host.run(HELLO)
    assert server.logins == ["deploy", "root"]  # it is not tried again in this run
    host.confirm_everywhere(5)
    host.confirm(login="any")
    with pytest.raises(Useless):
        host.confirm(login="admin")


@pytest.mark.parametrize("fault", FAULTS)
def test_without_another_login_it_is_told(pool: Pool, server: Server, access: HostAccess, fault: str) -> None:
    command, told = FAULTS[fault]
    server.behaviour.forced["deploy"] = command
    kind = SudoRefused if "sudo" in fault or fault == "requiretty" else ShellRefused
    secret = Script("say hello", HELLO.body, secrets={"secret": "never shown"})
    with pytest.raises(kind) as caught:
        pool.host(access.only("admin")).run(secret, resource="users")
    assert str(caught.value).startswith("web1: users: say hello: ")
    assert told in str(caught.value)
    assert "never shown" not in str(caught.value)


def test_both_are_told_where_none_is_of_use(pool: Pool, server: Server, access: HostAccess) -> None:
    server.behaviour.forced["deploy"] = SUDO_ASKS
    del server.behaviour.keys["root"]
    error = refused_by(pool, access, LoginRefused)
    assert f"admin as deploy@127.0.0.1:{server.port}: sudo asks deploy for a password" in str(error)
    assert f"bootstrap as root@127.0.0.1:{server.port} (with privateKey)" in str(error)
    assert "Give it as sudoPassword" in error.hint


def test_which_login_gets_root_is_known_before_the_first_run(pool: Pool, server: Server, access: HostAccess) -> None:
    server.behaviour.forced["deploy"] = SUDO_ASKS
    assert pool.host(access).entered().user == "root"


def test_a_login_that_got_sudo_meanwhile_is_used(pool: Pool, server: Server, access: HostAccess) -> None:
    server.behaviour.forced["deploy"] = SUDO_ASKS
    host = pool.host(access)
    host.run(HELLO)
    server.behaviour.forced.clear()
    host.confirm(login="admin")
    host.close()
    host.run(HELLO)
    assert host.login == "admin"


def test_while_sshd_moves_each_login_is_tried_at_both_ports(pool: Pool, server: Server, access: HostAccess) -> None:
    """The admin's port has no listener yet; root is no longer accepted."""
    admin, root = access.admin, access.bootstrap
    assert admin is not None
    assert root is not None
    server.stop_listening()
    old, new = server.port, 0
    server.listen()
    new = server.port
    moving = access.model_copy(
        update={"admin": admin.model_copy(update={"port": old}), "bootstrap": root.model_copy(update={"port": new})}
    )
    del server.behaviour.keys["root"]
    host = pool.host(moving)
    host.run(HELLO)
    assert (host.user, host.entered().port) == ("deploy", new)
    host.confirm_everywhere(5)  # over the current port
    with pytest.raises(Exception, match="cannot connect"):
        host.confirm(login="admin", timeout=1)  # not over the future one

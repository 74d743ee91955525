"""`stockade doctor` and a host that lies: its answer is a line about it, and another host is asked all the same."""

from random import Random

import asyncssh
import pytest

from cli.doctor.findings import Level
from cli.doctor.hosts import _LOOK, Checkup, hosts
from hosts.ssh.connection import Connection, HostAccess
from hosts.text.masking import printable
from tests.ssh.conftest import private, public
from tests.ssh.ghost import LIES, Ghost, section
from tests.ssh.server import Behaviour, Server, serving

ROUNDS = 4
SYSTEM, CLOCK, SPACE = b"debian\n12\ndebian\n", b"1700000000\n", b"/dev/x 1000000 1 999999 1% /\n"
TRUE = section("system", SYSTEM) + section("clock", CLOCK) + section("space", SPACE)


def _login(server: Server, key: asyncssh.SSHKey) -> Connection:
    return Connection(host="127.0.0.1", port=server.port, private_key=private(key), host_key=server.host_key_line())


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_a_line(lie: str, host_key: asyncssh.SSHKey, user_key: asyncssh.SSHKey) -> None:
    keys = {"root": public(user_key)}
    ghosts = [Ghost([_LOOK], {_LOOK.body: TRUE}, lie=made, chance=Random(1)) for made in (LIES[lie], None)]
    with (
        serving(Behaviour(keys=keys, ghost=ghosts[0]), [host_key]) as liar,
        serving(Behaviour(keys=keys, ghost=ghosts[1]), [host_key]) as honest,
    ):
        for _ in range(ROUNDS):
            access = [
                HostAccess(name=name, admin=_login(server, user_key))
                for name, server in (("liar", liar), ("honest", honest))
            ]
            found = [*hosts(Checkup(access, ("stockade", "mine"), patience=5))]
            assert {one.subject for one in found} == {"liar", "honest"}
            for one in found:
                assert len(one.message) < 1000
                assert printable(one.message + one.remedy) == one.message + one.remedy
            assert [one.message for one in found if one.subject == "honest" and one.level is Level.ERROR] == []
            assert any("debian 12 is supported" in one.message for one in found if one.subject == "honest")


def test_a_host_that_says_nothing_is_waited_for_as_long_as_was_said(user_key: asyncssh.SSHKey) -> None:
    login = Connection(host="127.0.0.1", port=9, private_key=private(user_key), host_key=public(user_key))
    (one,) = hosts(Checkup([HostAccess(name="web1", admin=login)], ("stockade", "mine"), patience=1))
    assert (one.level, "Connection refused" in one.message, "is the port right" in one.remedy) == (
        Level.ERROR,
        True,
        True,
    )

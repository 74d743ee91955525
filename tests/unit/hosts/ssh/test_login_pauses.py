"""How long a login waits between attempts, in a time that passes at once."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import asyncssh
import pytest

from hosts.errors import Unreachable
from hosts.ssh import login
from hosts.ssh.connection import Connection
from hosts.ssh.dialing import OpenConnection, Transient
from hosts.ssh.guesses import Guesses
from hosts.ssh.login import LoginSequence

CONNECTION = Connection.model_validate({"host": "192.0.2.1", "user": "deploy"})
PATIENCE = 60.0


class Clock(asyncio.SelectorEventLoop):
    """An event loop in which whoever sleeps makes the time pass."""

    passed = 0.0

    def time(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            self.run_until_complete(work)
        finally:
            self.close()


def attempts(clock: Clock, monkeypatch: pytest.MonkeyPatch, before: int, *, refused: bool = True) -> list[float]:
    """Log in to a host with `ufw limit` after some connections; return when that was tried. The last one succeeded."""
    tried = [0.0] * before

    async def dial(*_: object) -> OpenConnection:
        tried.append(clock.time())
        if sum(moment > clock.time() - 30 for moment in tried) >= 6:  # -m recent --update --seconds 30 --hitcount 6
            tried.extend([clock.time()] * 3)  # --set and --update count, and the packet is sent twice
            raise Transient("Connection refused", refused=refused)
        return OpenConnection(CONNECTION, asyncssh.SSHClientConnection.__new__(asyncssh.SSHClientConnection))

    monkeypatch.setattr(login, "dial", dial)
    monkeypatch.setattr(login.asyncio, "sleep", clock.sleep)

    async def connect() -> None:
        sequence = LoginSequence(
            "web1", (("admin", CONNECTION),), PATIENCE, asyncio.Semaphore(), lambda _: sequence, guesses=Guesses()
        )
        await sequence.connected()

    clock.run(connect())
    return tried[before:]


@pytest.mark.parametrize("before", [5, 6, 20])
def test_a_host_that_limits_connections_lets_us_in_within_the_usual_time(
    before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = attempts(Clock(), monkeypatch, before)
    assert len(found) > 1
    assert found[-1] < PATIENCE


def test_a_host_that_is_booting_is_asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    with pytest.raises(Unreachable):
        attempts(clock, monkeypatch, 6, refused=False)
    assert clock.passed > PATIENCE - 2 * login.LONGEST_DELAY

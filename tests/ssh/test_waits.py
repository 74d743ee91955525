"""The waits of an operation are noted, even if another one did the waiting."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hosts.errors import Unreachable
from hosts.pool import Pool
from hosts.shell import Script
from hosts.ssh.connection import HostAccess
from hosts.waiting import (
    CHANNEL,
    CONFIRMATION,
    CONNECTING,
    DIALLING,
    HANDSHAKE,
    REMOTE,
    RETRY,
    TURN,
    Stopwatch,
    timed,
    waiting,
)
from provider.slowest import MOST, Slowest

SLOW = Script("take a while", "sleep 0.2", timeout=20)


def test_a_run_tells_its_login_and_what_ran(pool: Pool, access: HostAccess) -> None:
    clock = Stopwatch()
    with timed(clock):
        pool.host(access).run(SLOW)
    shares = clock.shares()
    assert {DIALLING, HANDSHAKE, CHANNEL, REMOTE} <= set(shares)
    assert shares[REMOTE] >= 0.2
    assert sum(shares.values()) <= clock.ended - clock.begun


def test_reads_that_share_a_run_each_tell_of_it(pool: Pool, access: HostAccess) -> None:
    host = pool.host(access)
    clocks = [Stopwatch() for _ in range(4)]

    def read(clock: Stopwatch) -> None:
        with timed(clock):
            host.read(SLOW)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(read, clocks))
    assert all(clock.shares()[REMOTE] >= 0.2 for clock in clocks)
    assert all({HANDSHAKE, TURN} <= set(clock.shares()) for clock in clocks)
    assert all(sum(clock.shares().values()) <= clock.ended - clock.begun + 0.01 for clock in clocks)


def test_a_confirmation_is_told_as_a_whole(pool: Pool, access: HostAccess) -> None:
    clock = Stopwatch()
    with timed(clock):
        pool.host(access).confirm()
    assert set(clock.shares()) == {CONFIRMATION}


def test_somebody_who_waits_for_anothers_login_says_so(pool: Pool, access: HostAccess) -> None:
    host = pool.host(access)
    clocks = [Stopwatch(), Stopwatch()]

    def run(clock: Stopwatch) -> None:
        with timed(clock):
            host.run(SLOW)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(run, clocks))
    assert sorted(HANDSHAKE in clock.shares() for clock in clocks) == [False, True]
    assert max(clock.shares()[CONNECTING] for clock in clocks) > 0


def test_the_pauses_of_a_host_that_does_not_answer(pool: Pool, access: HostAccess) -> None:
    assert access.admin
    dead = access.model_copy(
        update={"admin": access.admin.model_copy(update={"port": 9, "host": "127.9.9.9"}), "connect_timeout": 1}
    )
    clock = Stopwatch()
    with timed(clock), pytest.raises(Unreachable):
        pool.host(dead).read(SLOW)
    assert clock.shares()[RETRY] > 0


def test_nothing_is_noted_without_a_clock() -> None:
    with timed(None), waiting(REMOTE):
        pass


class Request:
    urn = "urn:pulumi:s::p::stockade:index:HardenedHost$pulumi-python:dynamic/stockade:Sshd::web1"


def test_the_slowest_are_kept_in_order(tmp_path: Path) -> None:
    file = tmp_path / "slowest"
    slowest = Slowest(str(file))
    for number in range(MOST + 5):
        clock = slowest.clock()
        assert clock
        clock.begun -= number
        clock.spans.append((REMOTE, clock.begun, clock.begun + number))
        slowest.ended("read", Request(), clock)
    lines = file.read_text().splitlines()
    assert len(lines) == MOST
    assert lines[0].startswith(" 14.00 s  read Sshd web1: remote run 14.00 s")
    assert lines[-1].startswith("  5.00 s")


def test_nobody_pays_where_nobody_asks() -> None:
    slowest = Slowest("")
    assert slowest.clock() is None
    slowest.ended("read", Request(), None)

"""What a run's output says of its progress, while it arrives in pieces."""

import asyncio

import asyncssh
import pytest

from hosts.shell import Script, compose
from hosts.ssh.channel import OUTPUT_LIMIT, RunOutcome, _follow, _Session

STDERR = asyncssh.EXTENDED_DATA_STDERR
SCRIPTS = (Script("one", ":", timeout=30), Script("two", ":", timeout=30))


def session() -> _Session:
    return _Session(compose(SCRIPTS))


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_the_script_that_runs_is_the_last_whose_start_was_printed_however_it_is_cut(size: int) -> None:
    run = session()
    assert run.at == -1
    for index in (0, 1):
        text = b"some output\n" + run.run.started(index)
        for start in range(0, len(text), size):
            assert run.at == index - 1
            run.data_received(text[start : start + size], None)
        assert run.at == index
        assert run.changed.is_set()


def test_what_is_printed_as_an_error_starts_nothing() -> None:
    run = session()
    run.data_received(run.run.started(0), STDERR)
    assert run.at == -1
    assert run.size == len(run.run.started(0))


def test_a_run_is_complete_when_both_streams_have_ended() -> None:
    for first, second in ((None, STDERR), (STDERR, None)):
        run = session()
        run.data_received(b"x" + run.run.finished, first)
        assert not run.complete
        run.data_received(run.run.finished, second)
        assert run.complete
        run.data_received(b"y", second)
        assert not run.complete


def test_a_connection_that_is_lost_is_not_one_that_was_closed() -> None:
    closed, lost = session(), session()
    closed.connection_lost(None)
    lost.connection_lost(OSError())
    assert (closed.closed, closed.lost) == (True, False)
    assert (lost.closed, lost.lost) == (True, True)


def _followed(run: _Session, timeout: float | None = None, *scripts: Script) -> RunOutcome:
    async def follow() -> RunOutcome:
        outcome = RunOutcome()
        await _follow(run, scripts or SCRIPTS, timeout, outcome)
        return outcome

    loop = asyncio.new_event_loop()  # asyncio.run would leave later tests without one
    outcome = loop.run_until_complete(follow())
    loop.close()
    return outcome


def test_how_a_run_can_end() -> None:
    done = session()
    for stream in (None, STDERR):
        done.data_received(done.run.finished, stream)
    done.closed = True
    assert _followed(done).finished
    for lost in (False, True):
        ended = session()
        ended.closed, ended.lost = True, lost
        outcome = _followed(ended)
        assert (outcome.finished, outcome.cut) == (False, lost)
    flood = session()
    flood.data_received(b"x" * (OUTPUT_LIMIT + 1), STDERR)
    assert _followed(flood).flooded


def test_a_run_is_overdue_by_its_own_limit_or_by_that_of_its_script() -> None:
    assert _followed(session(), 0.05).overdue
    quick = Script("one", ":", timeout=0.05)
    assert _followed(session(), None, quick, quick).overdue
    second = session()
    second.data_received(second.run.started(1), None)
    assert _followed(second, None, SCRIPTS[0], quick).overdue  # it is the second that runs

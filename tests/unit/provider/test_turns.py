"""Deletes of one host run in an order that works, whatever the order of the engine's requests."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from components.failure import Failure
from provider import turns
from provider.turns import Turns, rank

TITLES = ("packages", "packages tools", "user deploy", "user ops", "sshd", "firewall ipv4", "fail2ban")


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 60)


def all_deleted(own: Turns, titles: list[str], work: Callable[[str], None]) -> dict[str, Future[None]]:
    """Delete all of a host at once, with requests in this order."""
    left = set(titles)

    def delete(title: str) -> None:
        with own.turn("web1", title, lambda _: left):
            work(title)
            left.discard(title)

    with ThreadPoolExecutor(len(titles)) as pool:
        return {title: pool.submit(delete, title) for title in titles}


@pytest.mark.parametrize("seed", range(8))
def test_packages_come_last_and_users_before_them(seed: int, patience: None) -> None:
    titles, done = [*TITLES], list[str]()
    random.Random(seed).shuffle(titles)
    for one in all_deleted(Turns(), titles, done.append).values():
        one.result(30)
    assert [rank(title) for title in done] == sorted((rank(title) for title in done), reverse=True)
    assert {*done} == {*TITLES}


def test_nothing_that_is_needed_goes_after_a_failure(patience: None) -> None:
    done = list[str]()

    def work(title: str) -> None:
        if title == "sshd":
            raise OSError("no route to host")
        done.append(title)

    deleted = all_deleted(Turns(), ["packages", "user deploy", "sshd", "fail2ban"], work)
    with pytest.raises(OSError, match="no route"):
        deleted["sshd"].result(30)
    for title in ("packages", "user deploy"):
        with pytest.raises(Failure, match=f"web1: {title}: not undone, because undoing "):
            deleted[title].result(30)
    assert done == ["fail2ban"]


def test_what_nobody_deletes_is_waited_for_only_as_long_as_requests_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    with Turns().turn("web1", "packages", lambda _: {"sshd"}):
        pass


def test_what_fills_the_engine_is_refused_rather_than_done_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.2)
    own = Turns(lambda: 2)

    def delete(host: str) -> None:
        with own.turn(host, "packages", lambda _: {"sshd"}):
            pass

    with ThreadPoolExecutor(2) as pool:
        for deleted in [pool.submit(delete, host) for host in ("web1", "web2")]:
            with pytest.raises(Failure, match=r"web\d: packages: not undone yet: .* 2 things at once.*--parallel"):
                deleted.result(30)


def nothing(anew: bool) -> frozenset[str]:
    del anew
    return frozenset()


def test_hosts_do_not_wait_for_each_other(patience: None) -> None:
    own, free = Turns(), threading.Event()
    with own.turn("web2", "sshd", nothing), own.turn("web1", "packages", nothing):
        free.set()
    assert free.is_set()


def test_names_of_one_machine_wait_for_each_other_and_read_its_record_again(patience: None) -> None:
    """After a killed run that renamed a host: its sshd is in the state as `old`, its user as `new`."""
    own, done, asked = Turns(), list[str](), list[bool]()
    left = {"sshd"}

    def record(anew: bool) -> set[str]:
        asked.append(anew)
        return {*left}

    def delete(host: str, title: str, free: threading.Event) -> None:
        with own.turn(host, title, record, {"SHA256:key"}):
            assert free.wait(30)
            done.append(host)
            left.discard(title)

    blocked, free = threading.Event(), threading.Event()
    free.set()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(delete, "new", "user deploy", free)
        while not asked:
            pass
        second = pool.submit(delete, "old", "sshd", blocked)
        assert not done
        blocked.set()
        second.result(30)
        first.result(30)
    assert done == ["old", "new"]
    assert asked[0] is False
    assert asked[-1] is True


def test_what_waits_when_the_run_is_interrupted_is_not_begun(patience: None) -> None:
    own, asked, done = Turns(), threading.Event(), list[str]()

    def record(anew: bool) -> set[str]:
        asked.set()
        return {"sshd"}

    def delete() -> None:
        with own.turn("web1", "user deploy", record):
            done.append("user deploy")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(delete)
        assert asked.wait(30)
        own.cancel()
        with pytest.raises(Failure, match="web1: user deploy: not undone, because the run was interrupted"):
            waiting.result(30)
    assert not done


def test_a_record_names_the_same_resource_as_its_title() -> None:
    assert [rank(name) for name in ("packages", "packages-tools", "user-deploy", "sshd", "firewall-ipv4")] == [
        0,
        0,
        1,
        2,
        2,
    ]

"""Deletes of one host run in an order that works, whatever the order of the engine's requests."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from components.failure import Failure
from plugin import turns
from plugin.turns import Turns, rank

TITLES = ("packages", "packages tools", "user deploy", "user ops", "sshd", "firewall ipv4", "fail2ban")


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 60)


def all_deleted(own: Turns, titles: list[str], work: Callable[[str], None]) -> dict[str, Future[None]]:
    """Delete all of a host at once, with requests in this order."""
    left = set(titles)

    def delete(title: str) -> None:
        with own.turn("web1", title, lambda: left):
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
    with Turns().turn("web1", "packages", lambda: {"sshd"}):
        pass


def test_hosts_do_not_wait_for_each_other(patience: None) -> None:
    own, free = Turns(), threading.Event()
    with own.turn("web2", "sshd", set), own.turn("web1", "packages", set):
        free.set()
    assert free.is_set()


def test_a_record_names_the_same_resource_as_its_title() -> None:
    assert [rank(name) for name in ("packages", "packages-tools", "user-deploy", "sshd", "firewall-ipv4")] == [
        0,
        0,
        1,
        2,
        2,
    ]

"""The changes that share a proof."""

import threading
from collections.abc import Callable

import pytest

from hosts.guard.proofs import Proofs

PATIENCE = 20.0
"""Longer than any of these tests takes."""


def in_thread(work: Callable[[], None]) -> "tuple[threading.Thread, list[BaseException]]":
    """Run it in a thread; what it raises is added to the list."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except ValueError as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, raised


def test_changes_that_are_coming_share_the_logins_of_the_first() -> None:
    proofs, logins = Proofs(), []
    for title in ("ipv4", "ipv6"):
        proofs.coming(title, "alike")
    first, _ = in_thread(lambda: proofs.prove("ipv4", "alike", lambda: logins.append("ipv4"), PATIENCE))
    assert logins == []
    proofs.prove("ipv6", "alike", lambda: logins.append("ipv6"), PATIENCE)
    first.join(PATIENCE)
    assert logins == ["ipv4"]


def test_all_who_share_learn_of_a_failure() -> None:
    proofs = Proofs()

    def fail() -> None:
        raise ValueError("shut out")

    proofs.coming("ipv4", "alike")
    proofs.coming("ipv6", "alike")
    first, raised = in_thread(lambda: proofs.prove("ipv4", "alike", fail, PATIENCE))
    with pytest.raises(ValueError, match="shut out"):
        proofs.prove("ipv6", "alike", fail, PATIENCE)
    first.join(PATIENCE)
    assert len(raised) == 1


def test_a_change_that_comes_into_force_during_the_logins_needs_its_own() -> None:
    proofs, logins, begun, later = Proofs(), [], threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        assert later.wait(PATIENCE)
        logins.append("first")

    first, _ = in_thread(lambda: proofs.prove("ipv4", "alike", slow, PATIENCE))
    assert begun.wait(PATIENCE)
    proofs.prove("ipv6", "alike", lambda: logins.append("second"), PATIENCE)
    later.set()
    first.join(PATIENCE)
    assert logins == ["second", "first"]


def test_what_proves_something_else_is_neither_shared_nor_waited_for() -> None:
    proofs, logins = Proofs(), []
    proofs.coming("firewall", "alike")
    proofs.coming("other", "different")
    proofs.prove("firewall", "alike", lambda: logins.append("one"), 100 * PATIENCE)
    proofs.prove("other", "different", lambda: logins.append("two"), 100 * PATIENCE)
    assert logins == ["one", "two"]


def test_a_change_that_ends_without_a_proof_holds_nobody_up() -> None:
    proofs, logins = Proofs(), []
    proofs.coming("ipv4", "alike")
    with proofs.change("ipv6"):
        proofs.coming("ipv6", "alike")
    proofs.prove("ipv4", "alike", lambda: logins.append("ipv4"), PATIENCE)
    assert logins == ["ipv4"]


def test_a_change_that_does_not_come_is_waited_for_only_so_long() -> None:
    proofs, logins = Proofs(), []
    proofs.coming("ipv6", "alike")
    proofs.prove("ipv4", "alike", lambda: logins.append("ipv4"), 0.01)
    assert logins == ["ipv4"]

"""Hosts that people have set up in ways of their own are adopted, and nothing changes on them: not by `adopt`, not by
`up`, not by `destroy`."""

from collections.abc import Iterator

import pytest

from local.lab.api import Lab
from tests.lab.adopt.adopting import CHOSEN, Adopted, adopt, on_all, prepared_hosts, session, set_passwords, snapshot
from tests.lab.adopt.hosts import Prepared
from tests.lab.stack import Result, Stack


@pytest.fixture(scope="module")
def adopted(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adopted]:
    """Prepare the hosts, look at them, and adopt all of them at once."""
    hosts = prepared_hosts(lab, "own")
    there = [one for one in CHOSEN if one.name in hosts]
    stack = Stack(tmp_path_factory.mktemp("adopted") / "project")
    sessions = {one.name: session(hosts[one.name], one) for one in there}
    before = on_all(hosts, snapshot)
    ended = adopt(stack, *((hosts[one.name], one) for one in there))
    yield Adopted(hosts, before, stack, sessions, ended)
    for one in sessions.values():
        one.kill()
        one.wait()
    lab.down([host.name for host in hosts.values()])


def test_reading_changes_nothing(adopted: Adopted) -> None:
    assert adopted.ended.status == 0, adopted.ended.output
    assert "Traceback" not in adopted.ended
    assert "cannot be imported" not in adopted.ended
    adopted.assert_nothing_changed()


@pytest.mark.parametrize("one", CHOSEN, ids=lambda one: one.name)
def test_what_was_found_is_said(adopted: Adopted, one: Prepared) -> None:
    if one.name not in adopted.hosts:
        pytest.skip("its packages cannot be downloaded now")
    written = adopted.config + adopted.rules
    for text in one.said:
        assert text in written
    for text in one.left_out:
        assert f"# Not taken over: {text}" in written
        assert text.partition(":")[0] in adopted.ended


def test_up_changes_nothing(adopted: Adopted) -> None:
    set_passwords(adopted.stack)
    shown = adopted.stack.up()
    assert "updated" not in shown
    adopted.assert_nothing_changed()


def changes(shown: Result) -> list[str]:
    """The lines about changed resources; the CLI also says which ones it is reading."""
    lines = [line for line in shown.output.splitlines() if line.lstrip()[:1] in "+-~" and "stockade:" in line]
    return [line for line in lines if "refreshing" not in line]


def test_a_second_up_and_a_refresh_find_nothing(adopted: Adopted) -> None:
    shown = adopted.stack.up()
    assert changes(shown) == []
    refreshed = adopted.stack.refresh()
    assert changes(refreshed) == []
    adopted.stack.unchanged()
    adopted.assert_nothing_changed()


def test_destroy_leaves_what_was_there(adopted: Adopted) -> None:
    adopted.stack.destroy()
    adopted.assert_nothing_changed()

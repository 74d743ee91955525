"""Names, addresses, records and locks."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.lab.errors import LabError
from local.lab.network import port
from local.lab.store import (
    CACHE_VARIABLE,
    OTHER_NAMES,
    Places,
    all_records,
    check_name,
    default_places,
    locked,
    new_record,
    pick_index,
    read_record,
    save_record,
    write_atomically,
)

WEB1 = new_record("web1", "debian", 11, Path("/checkout"), Path("/cache/debian-0"))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(checkout=tmp_path / "checkout", cache=tmp_path / "cache", run=tmp_path / "run")


def test_web_hosts_have_fixed_addresses() -> None:
    assert [pick_index(f"web{n}", {11, 12, 110}) for n in (1, 2, 99)] == [11, 12, 109]
    assert (WEB1.ipv4, WEB1.ipv6) == ("198.51.100.11", "2001:db8:57::11")


def test_other_names_get_the_lowest_free_address() -> None:
    assert pick_index("db", set()) == 110
    assert pick_index("db", {110, 111, 113}) == 112
    assert pick_index("web100", {110}) == 111
    assert pick_index("web0", set()) == 110


def test_a_host_keeps_its_address_unless_another_has_it_now() -> None:
    assert pick_index("db", {110}, last=150) == 150
    assert pick_index("db", {150}, last=150) == 110


def test_an_address_outside_of_the_range_is_not_taken_up_again() -> None:
    assert pick_index("db", set(), last=11) == 110


def test_no_address_left_is_an_error_that_says_how_to_get_one() -> None:
    with pytest.raises(LabError, match="no address is left for db: take hosts down first"):
        pick_index("db", set(OTHER_NAMES))


@given(st.sets(st.integers(1, 254)), st.none() | st.integers(1, 254), st.sampled_from(["db", "web7", "web99", "a-b"]))
def test_an_address_never_meets_the_bridge_or_the_observer(taken: set[int], last: int | None, name: str) -> None:
    try:
        index = pick_index(name, taken, last)
    except LabError:
        assert set(OTHER_NAMES) <= taken
        return
    assert 11 <= index <= 199
    assert len(port(replace(WEB1, index=index))) <= 15  # IFNAMSIZ


@pytest.mark.parametrize("name", ["", "Web1", "1web", "-a", "a_b", "a/b", "..", "a" * 32, "web1\n"])
def test_a_name_that_cannot_be_a_host_name_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="cannot name a host"):
        check_name(name)


def test_records_come_back_in_order_of_address(places: Places) -> None:
    other = replace(WEB1, name="db", index=110)
    save_record(places, other)
    save_record(places, WEB1)
    assert all_records(places) == [WEB1, other]


def test_a_torn_or_missing_record_is_no_host(places: Places) -> None:
    for name, text in (("torn", '{"name": "to'), ("strange", '{"a": 1}'), ("list", "[]")):
        places.host_run(name).mkdir(parents=True)
        (places.host_run(name) / "record.json").write_text(text)
    places.host_run("empty").mkdir()
    assert all_records(places) == []
    assert read_record(places.host_run("empty")) is None


def test_writing_keeps_the_mode_and_leaves_no_draft(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    write_atomically(secret, "one", 0o600)
    write_atomically(secret, "two", 0o600)
    assert secret.read_text() == "two"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [secret]


def test_the_cache_can_be_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert default_places().cache == tmp_path
    monkeypatch.delenv(CACHE_VARIABLE)
    assert default_places().cache == Path("/var/cache/stockade-lab")


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    got_it = threading.Event()

    def second() -> None:
        with locked(tmp_path):
            got_it.set()

    with locked(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        assert not got_it.wait(0.1)
    thread.join(5)
    assert got_it.is_set()

"""Who owns a chapter of a host: the record compared with a state, without a host."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from components.core.ownership import check_owner, copied, gone, lost_to, taken_from, taken_over_from, undoes
from components.core.stored import Stored
from components.failure import Failure
from components.packages.settings import PackageFacts, PackageInputs
from hosts.guard.record import Ledger, Machine, Owner, record_name

HERE, ELSEWHERE = Machine("one", ("SHA256:a",)), Machine("two", ("SHA256:b",))
OURS = Owner("c0", "stockade", "test", "web", machine="one", lineage="L0")
OTHERS = replace(OURS, claim="c1", lineage="L1")


def state(
    claim: str = "c0", machine: Machine = HERE, *, unfinished: bool = False
) -> Stored[PackageInputs, PackageFacts]:
    inputs, facts = PackageInputs(host="web"), PackageFacts()
    return Stored(inputs, inputs, facts, facts, facts, "c0", HERE, unfinished=False)


def ledger(owner: Owner | None, machine: Machine = HERE) -> Ledger:
    owners: Mapping[str, Owner] = {} if owner is None else {record_name("packages"): owner}
    return Ledger(machine, owners, frozenset())


def test_the_record_of_a_copied_disk_is_another_machines() -> None:
    assert copied(OURS, ELSEWHERE)
    assert not copied(OURS, HERE)
    assert not copied(replace(OURS, machine=""), HERE)  # written by an earlier version
    assert not copied(OURS, Machine())
    stranger = replace(OURS, stack="another", machine="two")
    taken_from(ledger(stranger), OURS, "web", "packages", "adopt")
    with pytest.raises(Failure, match="the stack another of the project stockade manages it"):
        taken_from(ledger(replace(stranger, machine="one")), OURS, "web", "packages", "adopt")


def test_a_lost_state_takes_over_aloud_and_the_one_that_was_not_lost_gives_way() -> None:
    assert "another state of this stack" in taken_over_from(OURS, OTHERS, "web")
    assert taken_over_from(OURS, replace(OURS, claim="c9"), "web") == ""
    taken_from(ledger(OURS), OTHERS, "web", "packages", "adopt")
    with pytest.raises(Failure, match="existing: takeOver"):
        taken_from(ledger(OURS), OTHERS, "web", "packages", "fail")
    taken = OTHERS.after(OURS)
    assert taken.former == "L0"
    assert "no longer managed from here" in lost_to(taken, OURS, "web")
    with pytest.raises(Failure, match="another state of this stack"):
        check_owner(ledger(taken), OURS, "packages", state(), existing="adopt", there=lambda: True)
    check_owner(ledger(taken), OURS, "packages", state(), existing="takeOver", there=lambda: True)
    assert "another state of this stack" in undoes(
        ledger(taken), "packages", state(), OURS, there=lambda: True, orphaned=lambda _: True
    )
    back = OURS.after(taken)
    assert back.former == "L1"
    assert back.took_over_from(OTHERS)
    assert not back.took_over_from(OURS)


def test_a_backup_knows_its_hosts_whatever_claims_came_since() -> None:
    later = replace(OURS, claim="c7").after(OURS)
    assert undoes(ledger(later), "packages", state(), OURS, there=lambda: True, orphaned=lambda _: False) == ""
    anew = replace(OTHERS, claim="c8")  # everything was destroyed, and created again from another state
    assert undoes(ledger(anew), "packages", state(), OURS, there=lambda: True, orphaned=lambda _: False) == ""


@pytest.mark.parametrize(
    ("change", "orphaned", "undone"),
    [
        ({"resource": "web-under-another-name"}, True, True),
        ({"resource": "web-under-another-name"}, False, False),
        ({"resource": "web-under-another-name", "run": "this"}, True, False),
        ({"resource": "web-under-another-name", "stack": "another"}, True, False),
        ({"resource": "web-under-another-name", "lineage": "L1"}, True, False),
        ({"resource": "web-under-another-name", "lineage": ""}, True, False),
    ],
)
def test_what_a_killed_run_made_under_another_name_is_undone(
    change: dict[str, str], orphaned: bool, undone: bool
) -> None:
    recorded, now = replace(OURS, claim="c5", **change), replace(OURS, run="this")
    why_not = undoes(ledger(recorded), "packages", state(), now, there=lambda: True, orphaned=lambda _: orphaned)
    assert (why_not == "") is undone


@pytest.mark.parametrize(
    ("found", "as_declared", "undone", "is_gone"),
    [
        (HERE, True, False, False),
        (HERE, False, False, False),  # somebody removed the record
        (HERE, False, True, True),  # the host is an earlier snapshot
        (ELSEWHERE, True, False, True),
        (Machine("", ("SHA256:a",)), False, False, True),  # unknown
    ],
)
def test_without_a_record_the_machine_and_its_settings_decide(
    found: Machine, as_declared: bool, undone: bool, is_gone: bool
) -> None:
    assert gone(ledger(None, found), "packages", state(), as_declared=as_declared, undone=undone) is is_gone


def test_records_of_earlier_versions_are_kept_as_they_are() -> None:
    old = replace(OURS, lineage="")
    assert "lineage" not in old.text()
    assert "former" not in OURS.text()
    assert not old.of_another_state(OTHERS)

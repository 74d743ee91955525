"""The time daemon's scripts on a stage: enabled, even where it must not run, and restored."""

import pytest

from components.core.chapter import KnownState
from components.timesync.chapter import TimeSyncChapter
from components.timesync.settings import TimeSyncFacts, TimeSyncInputs
from hosts.guard.record import forget_after
from tests.shell_room import Stage
from tests.unit.components.scripts.stubs import Units, systemctl

CHAPTER = TimeSyncChapter()
WANTED = TimeSyncInputs(host="web1", daemon="chrony")


@pytest.fixture
def units(stage: Stage) -> Units:
    return systemctl(stage, chrony="disabled inactive")


def facts(stage: Stage) -> TimeSyncFacts:
    answer = stage.one(CHAPTER.observe(WANTED))
    assert answer.status == 0, answer.stderr
    return CHAPTER.parse(WANTED, answer)


def test_the_daemon_is_enabled_and_runs(stage: Stage, units: Units) -> None:
    assert CHAPTER.differences(WANTED, facts(stage)) == "chrony is disabled"
    for _ in range(2):
        assert stage.one(CHAPTER.apply(WANTED, KnownState())).status == 0
        assert units.state("chrony.service") == "enabled active"
    shown = facts(stage)
    assert (shown.enabled, shown.active) == ("enabled", "active")
    assert CHAPTER.differences(WANTED, shown) == ""


def test_whether_the_clock_may_be_set_is_process_ones_to_say(stage: Stage, units: Units) -> None:
    kernel = stage.execute("sed", "-n", "s/^CapBnd:[[:space:]]*//p", "/proc/1/status").stdout
    assert facts(stage).may_set_clock is bool(int(kernel, 16) >> 25 & 1)


def test_a_daemon_that_cannot_start_is_enabled_all_the_same(stage: Stage, units: Units) -> None:
    units.set("chrony.service", "disabled inactive", fails=True)
    assert stage.one(CHAPTER.apply(WANTED, KnownState())).status == 0
    assert units.state("chrony.service") == "enabled inactive"


@pytest.mark.parametrize("state", ["disabled inactive", "enabled active", "masked inactive"])
def test_it_is_given_back(stage: Stage, units: Units, state: str) -> None:
    units.set("chrony.service", state)
    prior = facts(stage)
    stage.one(CHAPTER.apply(WANTED, KnownState()))
    assert units.state("chrony.service") == "enabled active"
    assert stage.one(CHAPTER.restore(WANTED, KnownState(prior=prior))).status == 0
    assert units.state("chrony.service") == state


def test_where_the_package_is_gone_nothing_is_left_to_do(stage: Stage, units: Units) -> None:
    units.stage.path("/run/units/chrony.service").unlink()
    prior = TimeSyncFacts(enabled="enabled", active="active", may_set_clock=True)
    stage.forget_calls()
    stage.write("/var/lib/stockade/prior/time-sync", "recorded")
    assert stage.one(forget_after(CHAPTER.restore(WANTED, KnownState(prior=prior)), "time sync")).status == 0
    assert {call.arguments[0] for call in stage.calls("systemctl")} <= {"show", "is-enabled", "is-active"}
    assert not stage.path("/var/lib/stockade/prior/time-sync").exists()


def test_init_scripts_do_as_well(stage: Stage) -> None:
    stage.write("/etc/init.d/chrony", "#!/bin/sh\n", 0o755)
    stage.folder("/etc/rc2.d")
    stage.program(
        "service", '[ "$2" != status ] || [ -e /run/started ] || exit 3; [ "$2" != start ] || : >/run/started'
    )
    stage.program("update-rc.d", '[ "$2" != enable ] || ln -s ../init.d/chrony "/etc/rc2.d/S20$1"')
    assert CHAPTER.differences(WANTED, facts(stage)) == "chrony is disabled"
    assert stage.one(CHAPTER.apply(WANTED, KnownState())).status == 0
    shown = facts(stage)
    assert (shown.enabled, shown.active) == ("enabled", "active")

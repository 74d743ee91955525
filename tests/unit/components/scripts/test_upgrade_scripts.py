"""The scripts of a system upgrade on a stage, with each package manager."""

from typing import Any

import pytest

from components.core.chapter import KnownState
from components.updates.upgrade.chapter import RECORD, UpgradeChapter
from components.updates.upgrade.settings import UpgradeFacts, UpgradeInputs
from hosts.packages.manager import LOCK_TIMEOUT
from hosts.shell import Answer
from tests.shell_room import Stage
from tests.unit.components.scripts.stubs import ONE_SHELL, own_units

CHAPTER = UpgradeChapter()


def inputs(**values: Any) -> UpgradeInputs:
    return UpgradeInputs.model_validate({"host": "web1", "trigger": "1", **values})


def facts(stage: Stage, wanted: UpgradeInputs) -> UpgradeFacts:
    answer = stage.one(CHAPTER.observe(wanted))
    assert answer.status == 0, answer.stderr
    return CHAPTER.parse(wanted, answer)


def applied(stage: Stage, wanted: UpgradeInputs) -> Answer:
    return stage.one(CHAPTER.apply(wanted, KnownState()))


def upgraded(stage: Stage, **values: Any) -> UpgradeFacts:
    answer = applied(stage, inputs(**values))
    assert answer.status == 0, answer.stderr
    return facts(stage, inputs(**values))


@pytest.fixture
def apt(stage: Stage) -> None:
    stage.write("/etc/os-release", "ID=debian\nVERSION_ID=12\n")
    stage.write("/repo/there", "libc6 1\nold 1\nsame 1\n")
    query = "sed 's/^/install ok installed /' /repo/there; echo 'deinstall ok config-files gone 1'"
    stage.program("dpkg-query", query)
    stage.program("dpkg", '[ "$1" != --audit ] || cat /repo/audit 2>/dev/null || :')
    stage.program(
        "apt-get",
        "{ env; umask; } >/repo/env\n"
        'case "$*" in *upgrade) [ ! -e /repo/fails ] || { seq 30; echo "E: no"; exit 100; }\n'
        "printf 'libc6 2\\nsame 1\\nfresh 1\\n' >/repo/there ;; esac",
    )


def test_what_changed_is_recorded(stage: Stage, apt: None) -> None:
    assert facts(stage, inputs()) == UpgradeFacts()
    seen = upgraded(stage)
    assert seen.changes == ("installed fresh 1", "removed old 1", "upgraded libc6 1 2")
    assert seen.done == inputs().digest
    assert not seen.reboot_due
    calls = [str(call) for call in stage.calls("apt-get")]
    assert [call.split()[-1] for call in calls] == ["update", "upgrade"]
    assert all(f"DPkg::Lock::Timeout={LOCK_TIMEOUT}" in call for call in calls)
    assert "APT::Get::Upgrade-Allow-New=true" in calls[1]
    assert all("--force-confold" in call and "--force-confdef" in call for call in calls)
    assert list(stage.path("/tmp").iterdir()) == []
    assert oct(stage.path(RECORD).stat().st_mode & 0o777) == "0o600"
    assert set(stage.read("/repo/env").splitlines()) >= {
        "0022",
        "LC_ALL=C",
        "DEBIAN_FRONTEND=noninteractive",
        "APT_LISTCHANGES_FRONTEND=none",
        "UCF_FORCE_CONFFOLD=1",
        "NEEDRESTART_MODE=l",
        "NEEDRESTART_SUSPEND=1",
    }


@ONE_SHELL
def test_once_for_each_trigger(stage: Stage, apt: None) -> None:
    first = upgraded(stage)
    assert upgraded(stage) == first
    assert len(stage.calls("apt-get")) == 2
    seen = upgraded(stage, trigger="2")
    assert seen.changes == ()
    assert len(stage.calls("apt-get")) == 4
    upgraded(stage, trigger="2", full=True)
    assert stage.calls("apt-get")[-1].arguments[-1] == "dist-upgrade"
    assert len(stage.calls("apt-get")) == 6


@ONE_SHELL
def test_a_record_of_another_upgrade_is_drift(stage: Stage, apt: None) -> None:
    seen = upgraded(stage)
    assert CHAPTER.as_observed(inputs(), KnownState(), seen) == inputs()
    assert not CHAPTER.as_observed(inputs(trigger="2"), KnownState(), seen).upgraded
    assert not CHAPTER.differences(inputs(), seen)
    assert RECORD in CHAPTER.differences(inputs(trigger="2"), seen)
    answer = stage.one(CHAPTER.restore(inputs(), KnownState(inputs(), seen, UpgradeFacts(), seen)))
    assert answer.status == 0
    assert facts(stage, inputs()) == UpgradeFacts()


@ONE_SHELL
def test_what_was_left_undone_comes_first(stage: Stage, apt: None) -> None:
    stage.write("/repo/audit", "half configured\n")
    upgraded(stage)
    programs = [(call.program, call.arguments[-1]) for call in stage.calls("dpkg", "apt-get")]
    assert programs == [("dpkg", "--audit"), ("dpkg", "-a"), ("apt-get", "update"), ("apt-get", "upgrade")]


@ONE_SHELL
def test_a_failed_one_says_its_last_words_and_is_not_recorded(stage: Stage, apt: None) -> None:
    stage.write("/repo/fails")
    done = applied(stage, inputs())
    assert done.status == 1
    assert done.stderr.splitlines() == [*map(str, range(12, 31)), "E: no"]
    assert facts(stage, inputs()) == UpgradeFacts()
    assert list(stage.path("/tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("release", "full", "program", "calls"),
    [
        ("ID=fedora\nVERSION_ID=41\n", False, "dnf", ["-y --refresh upgrade"]),
        ("ID=fedora\nVERSION_ID=41\n", True, "dnf", ["-y --refresh upgrade --allowerasing"]),
        ("ID=centos\nVERSION_ID=7\n", False, "yum", ["clean expire-cache", "-y update"]),
        ("ID=centos\nVERSION_ID=7\n", True, "yum", ["clean expire-cache", "-y upgrade"]),
        ("ID=opensuse-leap\nVERSION_ID=15.6\n", False, "zypper", ["--non-interactive update --no-recommends"]),
        ("ID=opensuse-leap\nVERSION_ID=15.6\n", True, "zypper", ["--non-interactive dist-upgrade --no-recommends"]),
        ("ID=arch\n", False, "pacman", ["-Q", "-Syu --noconfirm --noprogressbar", "-Q"]),
    ],
)
@ONE_SHELL
def test_other_managers(stage: Stage, release: str, full: bool, program: str, calls: list[str]) -> None:
    stage.write("/etc/os-release", release)
    stage.program("rpm", "echo bash.x86_64 5")
    stage.program(program, '[ "$1" != -Q ] || echo bash 5')
    assert upgraded(stage, full=full).changes == ()
    assert [" ".join(call.arguments) for call in stage.calls(program)] == calls


@ONE_SHELL
def test_whether_a_reboot_is_due(stage: Stage) -> None:
    own_units(stage)
    kernel = stage.execute("uname", "-r").stdout.strip()

    def due() -> bool:
        return facts(stage, inputs()).reboot_due

    modules = stage.path("/lib/modules")
    if modules.is_symlink():
        modules.unlink()
    assert not due()
    stage.folder(f"/lib/modules/{kernel}")
    stage.write(f"/boot/vmlinuz-{kernel}")
    assert not due()
    stage.folder("/lib/modules/999.1")
    assert not due()  # no such kernel is installed
    stage.write("/boot/vmlinuz-999.1")
    assert due()
    stage.path("/boot/vmlinuz-999.1").unlink()
    stage.write("/run/reboot-required")
    assert due()
    stage.path("/run/reboot-required").unlink()
    stage.write("/etc/arch-release")
    assert not due()
    stage.path(f"/lib/modules/{kernel}").rmdir()
    assert due()

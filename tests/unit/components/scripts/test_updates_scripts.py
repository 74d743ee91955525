"""The scripts of automatic updates on a stage: apt, dnf and yum; refusals."""

from typing import Any

import pytest

from components.core.chapter import KnownState
from components.updates.chapter import (
    ABSENT,
    EXITS,
    MASKED,
    NO_CODENAME,
    NO_MAIL,
    NO_REBOOT,
    NO_SOURCES,
    NO_TIMER,
    NO_UPDATER,
    OVERRULED,
    REFUSED,
    SELDOM,
    UpdateChapter,
)
from components.updates.settings import DROP_IN, SECURITY, UpdateFacts, UpdateInputs, UpdateSettings
from hosts.shell import Answer
from hosts.system.distro import UNSUPPORTED
from tests.shell_room import Stage
from tests.unit.components.scripts.stubs import ONE_SHELL, Units, systemctl

CHAPTER = UpdateChapter()
TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
_APT_CONFIG = r"""
parts=/etc/apt/apt.conf.d main=/etc/apt/apt.conf
if [ -n "${APT_CONFIG-}" ]; then
    parts=$(sed -n 's/^Dir::Etc::parts "\(.*\)";/\1/p' "$APT_CONFIG")
    main=$(sed -n 's/^Dir::Etc::main "\(.*\)";/\1/p' "$APT_CONFIG")
fi
cat "$parts"/* "$main" 2>/dev/null | awk '
    /BROKEN/ { broken = 1 }
    /^#clear / { sub(/;$/, "", $2); for (k = 1; k <= n; k++) if (index(tolower(row[k]), tolower($2)) == 1) row[k] = "" }
    /^[A-Z].* \{$/ { list = $1; next }
    /^};/ { list = ""; next }
    /^ *"/ && list != "" { sub(/^ */, ""); row[++n] = list ":: " $0; next }
    /^[A-Z].* "/ {
        for (k = 1; k <= n; k++) if (tolower(row[k]) ~ "^" tolower($1) " ") row[k] = ""
        row[++n] = $0
    }
    END { if (broken) exit 100; for (k = 1; k <= n; k++) if (row[k] != "") print row[k] }'
"""


def inputs(**values: Any) -> UpdateInputs:
    return UpdateInputs.model_validate({"host": "web1", **UpdateSettings.model_validate(values).props()})


def facts(stage: Stage) -> UpdateFacts:
    answer = stage.one(CHAPTER.observe(inputs()))
    assert answer.status == 0, answer.stderr
    return CHAPTER.parse(inputs(), answer)


def applied(stage: Stage, wanted: UpdateInputs) -> Answer:
    return stage.one(CHAPTER.apply(wanted, KnownState()))


def system(stage: Stage, release: str, program: str = "") -> Units:
    """Make the stage a host of a distribution, with the program that installs its updates."""
    stage.write("/etc/os-release", release)
    if program:
        stage.program(program, ": reboot_command Automatic-Reboot-Time")
    return systemctl(stage)


@pytest.fixture
def apt(stage: Stage) -> Units:
    units = system(stage, "ID=debian\nVERSION_ID=12\n", "unattended-upgrade")
    stage.program("apt-config", _APT_CONFIG)
    stage.folder("/etc/apt/apt.conf.d")
    stage.write("/etc/apt/apt.conf.d/20auto-upgrades", 'APT::Periodic::Update-Package-Lists "1";\n')
    for timer in TIMERS:
        stage.write(f"/lib/systemd/system/{timer}")
        units.set(timer, "disabled inactive")
    units.set("apt-daily.service", "static inactive")
    units.set("apt-daily-upgrade.service", "static inactive")
    return units


def test_apt_is_set_up_corrected_and_given_back(stage: Stage, apt: Units) -> None:
    prior = facts(stage)
    assert (prior.names, prior.timers, prior.installed) == (TIMERS, ("disabled inactive",) * 2, True)
    wanted = inputs(rebootTime="04:00")
    assert applied(stage, wanted).status == 0
    assert stage.read(DROP_IN) == wanted.text()
    seen = facts(stage)
    assert CHAPTER.differences(wanted, seen) == ""
    assert (seen.origins, seen.reboot_time, seen.timers) == (SECURITY, "04:00", ("enabled active",) * 2)
    assert applied(stage, inputs(enabled=False)).status == 0
    assert CHAPTER.differences(inputs(enabled=False), facts(stage)) == ""
    assert list(stage.path("/tmp").iterdir()) == []
    assert stage.one(CHAPTER.restore(wanted, KnownState(prior=prior))).status == 0
    assert facts(stage) == prior
    assert not stage.path(DROP_IN).exists()


@ONE_SHELL
def test_timers_that_run_already_are_left_alone(stage: Stage, apt: Units) -> None:
    for timer in TIMERS:
        apt.set(timer, "enabled active")
    assert applied(stage, inputs()).status == 0
    assert {call.arguments[0] for call in stage.calls("systemctl")} <= {"show", "is-enabled", "is-active"}


def test_another_file_that_is_read_later_is_named_with_its_settings(stage: Stage, apt: Units) -> None:
    stage.write("/etc/apt/apt.conf.d/zz-other", 'APT::Periodic::Unattended-Upgrade "0";\n')
    answer = applied(stage, inputs())
    assert answer.status == OVERRULED
    assert answer.stderr.split("\n")[0] == "/etc/apt/apt.conf.d/zz-other: APT::Periodic::Unattended-Upgrade"
    assert not stage.path(DROP_IN).exists()
    stage.path("/etc/apt/apt.conf.d/zz-other").unlink()
    stage.write("/etc/apt/apt.conf", 'Unattended-Upgrade::Origins-Pattern {\n    "origin=Other";\n};\n')
    answer = applied(stage, inputs())
    assert answer.status == OVERRULED
    assert answer.stderr.strip() == "/etc/apt/apt.conf: Unattended-Upgrade::Origins-Pattern"
    stage.write("/etc/apt/apt.conf", 'Unattended-Upgrade::Allowed-Origins {\n    "Other:stable";\n};\n')
    answer = applied(stage, inputs())
    assert answer.status == OVERRULED
    assert answer.stderr.strip() == "/etc/apt/apt.conf: Unattended-Upgrade::Allowed-Origins"


@pytest.mark.parametrize(
    "theirs",
    [
        'APT::Periodic::Unattended-Upgrade "7";\n',  # the interval is up to the administrator
        'APT::Periodic::AutocleanInterval "3";\n',
        'unattended-upgrade::automatic-reboot "no";\n',
    ],
)
@ONE_SHELL
def test_what_says_the_same_or_something_else_is_let_be(stage: Stage, apt: Units, theirs: str) -> None:
    stage.write("/etc/apt/apt.conf.d/zz-other", theirs)
    assert applied(stage, inputs()).status == 0


@ONE_SHELL
def test_what_apt_does_not_understand_is_not_written(stage: Stage, apt: Units) -> None:
    stage.program("apt-config", "exit 100")
    assert applied(stage, inputs()).status == REFUSED
    assert not stage.path(DROP_IN).exists()


@ONE_SHELL
def test_a_masked_service_is_named(stage: Stage, apt: Units) -> None:
    apt.set("apt-daily-upgrade.service", "masked inactive")
    assert facts(stage).masked == ("apt-daily-upgrade.service",)
    answer = applied(stage, inputs())
    assert (answer.status, answer.stderr.strip()) == (MASKED, "apt-daily-upgrade.service")
    assert applied(stage, inputs(enabled=False)).status == 0


@pytest.mark.parametrize(
    ("shown", "seldom"),
    [
        ("NextElapseUSecRealtime=Thu 2099-01-01 00:00:00 UTC\nSubState=waiting\n", True),
        ("NextElapseUSecRealtime=\nSubState=elapsed\n", True),  # never again
        ("NextElapseUSecRealtime=Thu 2009-01-01 00:00:00 UTC\nSubState=waiting\n", False),
        ("NextElapseUSecRealtime=\nSubState=waiting\n", False),  # scheduled relative to its last run
    ],
)
@ONE_SHELL
def test_a_timer_that_somebody_slowed_down_is_named(stage: Stage, apt: Units, shown: str, seldom: bool) -> None:
    file = "/etc/systemd/system/apt-daily.timer.d/slow.conf"
    files = f"FragmentPath=/lib/systemd/system/apt-daily.timer\nDropInPaths={file}\n"
    stage.write("/run/units/apt-daily.timer.shown", shown + files)
    assert (facts(stage).seldom == ("apt-daily.timer",)) == seldom
    answer = applied(stage, inputs())
    assert (answer.status == SELDOM, file in answer.stderr) == (seldom, seldom)
    assert applied(stage, inputs(enabled=False)).status == 0


@ONE_SHELL
def test_mail_needs_a_program_that_sends_it(stage: Stage, apt: Units) -> None:
    assert applied(stage, inputs(mail="root")).status == NO_MAIL
    stage.program("/usr/sbin/sendmail")
    assert applied(stage, inputs(mail="root")).status == 0


@ONE_SHELL
def test_a_mail_program_will_do(stage: Stage, apt: Units) -> None:
    stage.program("/usr/bin/mail")
    assert applied(stage, inputs(mail="root")).status == 0


@ONE_SHELL
def test_without_the_program_there_are_no_updates(stage: Stage, apt: Units) -> None:
    stage.path("/usr/local/sbin/unattended-upgrade").unlink()
    assert applied(stage, inputs()).status == ABSENT
    assert facts(stage).installed is False
    assert applied(stage, inputs(enabled=False)).status == 0


@ONE_SHELL
def test_old_apt_is_started_by_cron(stage: Stage, apt: Units) -> None:
    stage.path(f"/lib/systemd/system/{TIMERS[0]}").unlink()
    assert applied(stage, inputs()).status == NO_TIMER
    apt.set("cron.service", "enabled active")
    assert applied(stage, inputs()).status == 0
    assert facts(stage).names == ("cron",)


def test_old_unattended_upgrades_gets_no_codenames(stage: Stage, apt: Units) -> None:
    stage.program("unattended-upgrade")
    assert applied(stage, inputs(rebootTime="04:00")).status == NO_REBOOT
    assert applied(stage, inputs(origins=["origin=Debian,codename=${distro_codename}"])).status == NO_CODENAME
    assert applied(stage, inputs(origins=["origin=Debian,n=bookworm"])).status == NO_CODENAME
    assert not stage.path(DROP_IN).exists()
    wanted = inputs(rebootTime="now")
    assert applied(stage, wanted).status == 0
    assert ",codename=" not in stage.read(DROP_IN)
    assert stage.read(DROP_IN).count('"origin=Debian,label=Debian-Security"') == 1
    assert stage.read(DROP_IN).endswith('Automatic-Reboot-Time "now";\n')
    assert CHAPTER.differences(wanted, facts(stage)) == ""


@pytest.mark.parametrize(
    ("release", "program", "file", "timer"),
    [
        ("ID=fedora\nVERSION_ID=40\n", "dnf-automatic", "/etc/dnf/automatic.conf", "dnf-automatic.timer"),
        ("ID=fedora\nVERSION_ID=41\n", "dnf-automatic", "/etc/dnf/automatic.conf", "dnf5-automatic.timer"),
    ],
)
def test_dnf_is_set_up_and_given_back(stage: Stage, release: str, program: str, file: str, timer: str) -> None:
    units = system(stage, release, program)
    units.set(timer, "disabled inactive")
    stage.write(file, "[commands]\napply_updates = no\n")
    prior = facts(stage)
    assert (prior.names, prior.on) == ((timer,), False)
    assert applied(stage, inputs(origins=["origin=Other"])).status == NO_SOURCES
    wanted = inputs(rebootTime="04:00")
    assert applied(stage, wanted).status == 0
    assert "reboot_command = shutdown -r 04:00" in stage.read(file)
    assert CHAPTER.differences(wanted, facts(stage)) == ""
    assert units.state(timer) == "enabled active"
    assert stage.one(CHAPTER.restore(wanted, KnownState(prior=prior))).status == 0
    assert facts(stage) == prior


@ONE_SHELL
def test_dnf_before_4_15_cannot_reboot_at_a_time(stage: Stage) -> None:
    units = system(stage, "ID=rhel\nVERSION_ID=8.6\n")
    stage.program("dnf-automatic")
    units.set("dnf-automatic.timer", "enabled active")
    assert applied(stage, inputs(rebootTime="04:00")).status == NO_REBOOT
    assert applied(stage, inputs()).status == 0


@pytest.mark.parametrize(
    ("release", "file", "told"),
    [
        ("ID=centos\nVERSION_ID=7\n", "/etc/yum/yum-cron.conf", "update_cmd = default\n"),
        ("ID=rhel\nVERSION_ID=7.9\n", "/etc/yum/yum-cron.conf", "update_cmd = security\n"),
        ("ID=centos\nVERSION_ID=6\n", "/etc/sysconfig/yum-cron", "YUM_PARAMETER=\n"),
        ("ID=rhel\nVERSION_ID=6.10\n", "/etc/sysconfig/yum-cron", "YUM_PARAMETER=--security\n"),
    ],
)
def test_yum_is_set_up_and_given_back(stage: Stage, release: str, file: str, told: str) -> None:
    units = system(stage, release)
    stage.program("/etc/cron.daily/0yum-daily.cron")
    for unit in ("yum-cron", "crond"):
        units.set(f"{unit}.service", "disabled inactive")
    prior = facts(stage)
    assert (prior.names, prior.installed) == (("yum-cron", "crond"), True)
    assert applied(stage, inputs(rebootTime="04:00")).status == NO_REBOOT
    assert applied(stage, inputs(origins=["origin=Other"])).status == NO_SOURCES
    assert applied(stage, inputs()).status == 0
    assert told in stage.read(file)
    assert CHAPTER.differences(inputs(), facts(stage)) == ""
    assert units.state("crond.service") == units.state("yum-cron.service") == "enabled active"
    assert stage.one(CHAPTER.restore(inputs(), KnownState(prior=prior))).status == 0
    assert facts(stage) == prior


@ONE_SHELL
def test_a_distribution_without_automatic_updates(stage: Stage) -> None:
    system(stage, "ID=arch\n")
    assert applied(stage, inputs()).status == NO_UPDATER
    system(stage, "ID=other\n")
    assert applied(stage, inputs()).status == UNSUPPORTED


def test_exits_are_those_of_the_script() -> None:
    body = CHAPTER.apply(inputs(), KnownState()).body
    own = (ABSENT, REFUSED, NO_MAIL, NO_SOURCES, NO_UPDATER, NO_REBOOT, NO_CODENAME, NO_TIMER, MASKED, OVERRULED)
    assert set(own) <= set(EXITS)
    assert all(f"exit {status}" in body for status in own)

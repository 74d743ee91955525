"""Fail2Ban's scripts on a stage: setup, refusals, restoring; bans and foreign files are kept."""

import shutil
from typing import Any

import pytest

from components.core.chapter import KnownState
from components.fail2ban.chapter import ABSENT, EXITS, NOT_STARTED, OVERRULED, REFUSED, Fail2BanChapter
from components.fail2ban.settings import DROP_IN, HEAD, Fail2BanFacts, Fail2BanInputs, Fail2BanSettings
from hosts.shell import Answer
from hosts.system.files import NOT_A_FILE, TOO_LARGE
from tests.shell_room import Stage
from tests.unit.components.scripts.stubs import ONE_SHELL, Fail2ban, fail2ban

CHAPTER = Fail2BanChapter()
JAIL_LOCAL = "/etc/fail2ban/jail.local"
OTHER = "[sshd]\nenabled = true\nport = 2222\n"
THEIRS = "[DEFAULT]\nignoreip = 192.0.2.9\n"


@pytest.fixture
def guard(stage: Stage) -> Fail2ban:
    return fail2ban(stage)


def inputs(**settings: Any) -> Fail2BanInputs:
    return Fail2BanInputs.model_validate({"host": "web1", **Fail2BanSettings.model_validate(settings).props()})


def facts(stage: Stage, wanted: Fail2BanInputs) -> Fail2BanFacts:
    answer = stage.one(CHAPTER.observe(wanted))
    assert answer.status == 0, answer.stderr
    return CHAPTER.parse(wanted, answer)


def applied(stage: Stage, wanted: Fail2BanInputs, last: Fail2BanInputs | None = None) -> Answer:
    return stage.one(CHAPTER.apply(wanted, KnownState(last=last)))


def test_jails_are_set_up_and_shown(stage: Stage, guard: Fail2ban) -> None:
    wanted = inputs()
    prior = facts(stage, wanted)
    assert (prior.enabled, prior.active, prior.jails, prior.dropin.exists) == ("disabled", "inactive", {}, False)
    assert CHAPTER.differences(wanted, prior)
    assert applied(stage, wanted).status == 0
    shown = facts(stage, wanted)
    assert CHAPTER.differences(wanted, shown) == ""
    assert stage.read(DROP_IN) == (
        f"{HEAD}stockade_backend = auto\nstockade_operator = \nstockade_kept_sshd = \n\n{wanted.config}"
    )
    assert oct(stage.path(DROP_IN).stat().st_mode & 0o777) == "0o644"
    assert stage.path("/tmp").is_dir()
    assert list(stage.path("/tmp").iterdir()) == []
    stage.forget_calls()
    assert applied(stage, wanted, wanted).status == 0
    assert [str(call) for call in stage.calls("fail2ban-client") if call.arguments[0] in ("stop", "set")] == []


@ONE_SHELL
def test_the_journal_is_read_where_there_is_one(stage: Stage, guard: Fail2ban) -> None:
    stage.folder("/run/systemd/journal")
    applied(stage, inputs())
    assert "stockade_backend = auto\n" in stage.read(DROP_IN)
    stage.write("/run/f2b/journal")
    applied(stage, inputs())
    assert "stockade_backend = systemd\n" in stage.read(DROP_IN)


@ONE_SHELL
def test_a_host_without_fail2ban_is_told_apart(stage: Stage) -> None:
    assert applied(stage, inputs()).status == ABSENT
    assert stage.one(CHAPTER.observe(inputs())).status == 0


@ONE_SHELL
def test_a_configuration_that_somebody_removed_is_named(stage: Stage, guard: Fail2ban) -> None:
    shutil.rmtree(stage.path("/etc/fail2ban"))
    answer = applied(stage, inputs())
    assert answer.status == REFUSED
    assert "/etc/fail2ban is missing: reinstall the package with its files" in answer.stderr


@pytest.mark.parametrize(
    ("jail", "words", "old"),
    [
        ({"filter": "unknown"}, ["Unable to read the filter 'unknown'"], True),
        (
            {"logpath": ["/nowhere"]},
            ["found any log file", "If the host logs only to the journal", "{present: [rsyslog]}"],
            False,
        ),
    ],
)
def test_what_fail2ban_refuses_changes_nothing(
    stage: Stage, guard: Fail2ban, jail: dict[str, Any], words: list[str], old: bool
) -> None:
    if old:
        stage.write("/run/f2b/old")
    guard.run(sshd="192.0.2.1")
    stage.write(DROP_IN, "[sshd]\nenabled = true\n")
    answer = applied(stage, inputs(jails={"web": jail}))
    assert answer.status == REFUSED
    assert all(word in answer.stderr for word in words)
    assert "2026-01-01" not in answer.stderr
    assert "Usage" not in answer.stderr
    assert stage.read(DROP_IN) == "[sshd]\nenabled = true\n"
    assert guard.bans("sshd") == ["192.0.2.1"]
    assert guard.units.state("fail2ban.service") == "enabled active"
    assert list(stage.path("/tmp").iterdir()) == []


def test_a_file_that_is_read_later_is_named_by_its_lines(stage: Stage, guard: Fail2ban) -> None:
    later = "/etc/fail2ban/jail.d/zzz company.local"
    own = "[DEFAULT]\nenabled = false\n[web]\nmaxretry = 9\n"
    theirs = f"{own}[sshd]\n# maxretry = 7\nenabled=false\nmaxretry : 5\nusedns = no\n  bantime = x\n"
    stage.write(later, theirs)
    answer = applied(stage, inputs())
    assert (answer.status, answer.stderr.splitlines()) == (OVERRULED, [f"{later}:7: [sshd] enabled=false"])
    assert not stage.path(DROP_IN).exists()
    assert list(stage.path("/tmp").iterdir()) == []
    stage.path(later).rename(stage.path("/etc/fail2ban/jail.d/aaa.local"))  # read before ours
    assert applied(stage, inputs()).status == 0
    stage.write(later, f"{own}[sshd]\nmaxretry = 5\nusedns = no\n")
    assert applied(stage, inputs()).status == 0


@ONE_SHELL
def test_a_pipe_among_its_files_is_told_and_not_read(stage: Stage, guard: Fail2ban) -> None:
    stage.execute("mkfifo", "/etc/fail2ban/jail.d/pipe.conf")
    answer = applied(stage, inputs())
    assert answer.status == NOT_A_FILE
    assert "pipe.conf" in answer.stderr
    assert facts(stage, inputs()).dropin.exists is False


@ONE_SHELL
def test_a_file_larger_than_a_configuration_is_not_read(stage: Stage, guard: Fail2ban) -> None:
    stage.write(JAIL_LOCAL, "#" * (2**20 + 1))
    assert stage.one(CHAPTER.observe(inputs())).status == TOO_LARGE


def test_bans_outlive_a_change_of_actions(stage: Stage, guard: Fail2ban) -> None:
    guard.run(sshd="192.0.2.1 2001:db8::1", web="192.0.2.7")
    before, after = inputs(jails={"web": {}}), inputs(jails={"web": {"port": "443"}, "sshd": {"maxretry": 3}})
    stage.forget_calls()
    assert applied(stage, after, before).status == 0
    calls = [str(call) for call in stage.calls("fail2ban-client")]
    assert "fail2ban-client stop web" in calls
    assert "fail2ban-client stop sshd" not in calls
    assert calls.index("fail2ban-client stop web") < calls.index("fail2ban-client reload")
    assert guard.bans("web") == ["192.0.2.7"]
    assert guard.bans("sshd") == ["192.0.2.1", "2001:db8::1"]
    assert [call for call in calls if " banip " in call] == ["fail2ban-client set web banip 192.0.2.7"]


@ONE_SHELL
def test_bans_of_its_database_are_not_given_twice(stage: Stage, guard: Fail2ban) -> None:
    guard.run(sshd="192.0.2.1")
    stage.write("/run/f2b/database/sshd", "192.0.2.1\n")
    assert applied(stage, inputs(), None).status == 0
    assert guard.bans("sshd") == ["192.0.2.1"]
    assert [call for call in stage.calls("fail2ban-client") if "banip" in call.arguments] == []


@ONE_SHELL
def test_a_server_that_does_not_answer_is_started_anew(stage: Stage, guard: Fail2ban) -> None:
    guard.units.set("fail2ban.service", "enabled failed", starts="/run/f2b/start")
    assert applied(stage, inputs()).status == 0
    systemctl = [str(call) for call in stage.calls("systemctl")]
    assert systemctl.index("systemctl reset-failed fail2ban") < systemctl.index("systemctl restart fail2ban")
    assert "fail2ban-client reload" not in [str(call) for call in stage.calls("fail2ban-client")]
    assert guard.units.state("fail2ban.service") == "enabled active"


@ONE_SHELL
def test_a_systemd_that_has_nothing_to_reset_is_no_reason_to_fail(stage: Stage, guard: Fail2ban) -> None:
    plain = stage.read("/usr/local/sbin/systemctl").partition("\n")[2]
    stage.program("systemctl", f"case $1 in reset-failed) exit 1 ;; esac\n{plain}")
    assert applied(stage, inputs()).status == 0
    assert guard.units.state("fail2ban.service") == "enabled active"


def test_a_server_that_answers_late_is_waited_for(stage: Stage, guard: Fail2ban) -> None:
    guard.run(sshd="")
    stage.write("/run/f2b/slow")
    assert applied(stage, inputs()).status == 0
    assert "fail2ban-client reload" in [str(call) for call in stage.calls("fail2ban-client")]


@ONE_SHELL
@pytest.mark.parametrize("fails", [False, True])
def test_a_server_that_never_answers_is_told(stage: Stage, guard: Fail2ban, fails: bool) -> None:
    guard.units.set("fail2ban.service", "enabled active" if not fails else "enabled failed", starts=":", fails=fails)
    assert applied(stage, inputs()).status == NOT_STARTED
    seen = facts(stage, inputs())
    assert (seen.jails, seen.enabled) == ({}, "enabled")


@ONE_SHELL
def test_bans_that_its_database_gives_back_late_are_waited_for(stage: Stage, guard: Fail2ban) -> None:
    guard.run(sshd="192.0.2.1")
    stage.write("/run/f2b/later/sshd", "192.0.2.1\n")
    stage.write("/run/f2b/late")
    assert applied(stage, inputs(), None).status == 0
    assert guard.bans("sshd") == ["192.0.2.1"]
    assert [call for call in stage.calls("fail2ban-client") if "banip" in call.arguments] == []


@ONE_SHELL
def test_a_ban_that_fail2ban_does_not_take_is_no_reason_to_fail(stage: Stage, guard: Fail2ban) -> None:
    guard.run(sshd="192.0.2.1")
    stage.write("/run/f2b/refuses")
    assert applied(stage, inputs(), None).status == 0


@ONE_SHELL
def test_jails_that_do_not_run_fail_with_its_words(stage: Stage, guard: Fail2ban) -> None:
    stage.write("/var/log/fail2ban.log", "2026 fail2ban.jail: INFO started\n2026 fail2ban: ERROR   no such action\n")
    stage.program("journalctl", "echo '2026 fail2ban: ERROR   from the journal'")
    answer = applied(stage, inputs(jails={"web": {"filter": "fails"}}))
    assert answer.status == NOT_STARTED
    assert answer.stderr.splitlines()[-2:] == ["from the journal", "no such action"]


@ONE_SHELL
def test_turned_off_it_is_stopped(stage: Stage, guard: Fail2ban) -> None:
    guard.run(sshd="")
    wanted = inputs(enabled=False)
    assert applied(stage, wanted, inputs()).status == 0
    assert guard.units.state("fail2ban.service") == "disabled inactive"
    assert CHAPTER.differences(wanted, facts(stage, wanted)) == ""


@pytest.mark.parametrize(
    ("service", "there"),
    [("disabled inactive", OTHER), ("enabled active", OTHER), ("disabled active", "")],
)
def test_it_is_given_back(stage: Stage, guard: Fail2ban, there: str, service: str) -> None:
    wanted = inputs()
    guard.units.set("fail2ban.service", service, starts="/run/f2b/start")
    if service.endswith(" active"):
        stage.folder("/run/f2b/jails")
        stage.write("/run/f2b/jails/sshd", "192.0.2.1\n")
    stage.write(JAIL_LOCAL, THEIRS)
    if there:
        stage.write(DROP_IN, there, 0o640)
    prior = facts(stage, wanted)
    assert applied(stage, wanted).status == 0
    assert CHAPTER.differences(wanted, facts(stage, wanted)) == ""
    stage.forget_calls()
    assert stage.one(CHAPTER.restore(wanted, KnownState(last=wanted, prior=prior))).status == 0
    again = facts(stage, wanted)
    assert (again.dropin, again.enabled, again.active) == (prior.dropin, prior.enabled, prior.active)
    assert stage.read(JAIL_LOCAL) == THEIRS
    assert stage.path("/etc/fail2ban/jail.d").is_dir()
    reloads = [call for call in stage.calls("fail2ban-client") if call.arguments == ("reload",)]
    assert bool(reloads) is service.endswith(" active")
    assert not [call for call in stage.calls("systemctl") if "restart" in call.arguments]
    if there and service.endswith(" active"):
        assert guard.bans("sshd") == ["192.0.2.1"]


@ONE_SHELL
def test_what_was_not_installed_before_needs_no_service(stage: Stage, guard: Fail2ban) -> None:
    wanted = inputs()
    applied(stage, wanted)
    stage.path("/run/units/fail2ban.service").unlink()
    stage.path("/usr/local/sbin/fail2ban-client").unlink()
    assert stage.one(CHAPTER.restore(wanted, KnownState(last=wanted, prior=Fail2BanFacts()))).status == 0
    assert not stage.path(DROP_IN).exists()


@ONE_SHELL
def test_what_the_host_never_bans_stays_so(stage: Stage, guard: Fail2ban) -> None:
    stage.write(JAIL_LOCAL, THEIRS)
    stage.write(
        "/run/f2b/dump",
        "['set', 'sshd', 'addignoreip', '127.0.0.1/8']\n['set', 'sshd', 'addignoreip', '192.0.2.9', u'192.0.2.8']\n"
        "['set', 'web', 'addignoreip', '192.0.2.7']\n['set', 'sshd', 'maxretry', 3]\n",
    )
    assert applied(stage, inputs()).status == 0
    assert "\nstockade_kept_sshd = 127.0.0.1/8 192.0.2.9 192.0.2.8 \n" in stage.read(DROP_IN)
    assert "ignoreip = 127.0.0.1/8 ::1" not in stage.read("/run/f2b/read.d")
    assert "ignoreip = 127.0.0.1/8 ::1" in stage.read("/run/f2b/read.t")


def test_what_others_wrote_is_shown(stage: Stage, guard: Fail2ban) -> None:
    guard.run(sshd="192.0.2.1 2001:db8::1")
    stage.write(JAIL_LOCAL, "[DEFAULT]\nignoreip = 192.0.2.9\n   192.0.2.8\n# ignoreip = no\nbantime = 1h\n")
    stage.write("/etc/fail2ban/jail.d/other.local", "[sshd]\nignoreip: 192.0.2.7\n")
    stage.write(DROP_IN, "[sshd]\nignoreip = 192.0.2.1\n")
    stage.program("iptables", "echo '-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd'")
    shown = facts(stage, inputs())
    assert shown.local == (JAIL_LOCAL, "/etc/fail2ban/jail.d/other.local")
    assert shown.ignored == (
        f"{JAIL_LOCAL}: ignoreip = 192.0.2.9",
        f"{JAIL_LOCAL}:  192.0.2.8",
        "/etc/fail2ban/jail.d/other.local: ignoreip: 192.0.2.7",
    )
    assert shown.jails["sshd"].maxretry == "5"
    assert shown.unenforced == ("sshd",)  # ip6tables has no rule
    stage.program("ip6tables", "echo '-A INPUT -j fail2ban-sshd'")
    assert facts(stage, inputs()).unenforced == ()


@ONE_SHELL
def test_an_iptables_without_a_lock_is_not_asked_for_one(stage: Stage, guard: Fail2ban) -> None:
    lock = (
        '\naction_ = %(banaction)s[name=%(__name__)s, port="%(port)s", protocol="%(protocol)s", chain="%(chain)s", '
        'lockingopt=""]\n\n[sshd]\n'
    )
    applied(stage, inputs())
    assert lock not in stage.read(DROP_IN)
    stage.program("iptables", '[ "$1" != -w ]')
    applied(stage, inputs())
    assert stage.read(DROP_IN).count(lock) == 1
    stage.program("iptables")
    applied(stage, inputs())
    assert lock not in stage.read(DROP_IN)


class TestBefore09:
    """fail2ban 0.8 reads our file because jail.local names it."""

    @pytest.fixture
    def guard(self, stage: Stage) -> Fail2ban:
        made = fail2ban(stage)
        stage.path("/etc/fail2ban/paths-common.conf").unlink()
        stage.path("/etc/fail2ban/jail.d").rmdir()
        stage.write("/run/f2b/old")
        return made

    @ONE_SHELL
    @pytest.mark.parametrize("theirs", ["", THEIRS, "[ssh]\nenabled = true"])
    def test_our_lines_come_first_and_go_alone(self, stage: Stage, guard: Fail2ban, theirs: str) -> None:
        if theirs:
            stage.write(JAIL_LOCAL, theirs)
        wanted = inputs(bantime="1h")
        prior = facts(stage, wanted)
        for _ in range(2):
            assert applied(stage, wanted).status == 0
            written = stage.read(JAIL_LOCAL)
            assert written == (
                "# >>> Stockade\n[INCLUDES]\nenabled = false\nport = 0:65535\nafter = jail.d/zz-stockade.local\n"
                f"# <<< Stockade\n{theirs}"
            )
        assert facts(stage, wanted).local == ((JAIL_LOCAL,) if theirs else ())
        assert "bantime = 3600\n" in stage.read(DROP_IN)
        assert "findtime = 600\n" in stage.read(DROP_IN)
        assert stage.read(DROP_IN).startswith(
            f"{HEAD}stockade_backend = auto\nstockade_operator = \nstockade_kept_sshd = \n"
            "filter = %(__name__)s\nport = 0:65535\n[sshd]\nport = ssh\nlogpath = /var/log/auth.log\n"
            "[ssh]\nenabled = false\n\n[sshd]\n"
        )
        assert oct(stage.path("/etc/fail2ban/jail.d").stat().st_mode & 0o777) == "0o755"
        assert stage.one(CHAPTER.restore(wanted, KnownState(last=wanted, prior=prior))).status == 0
        assert stage.read(JAIL_LOCAL) == theirs
        assert stage.path(JAIL_LOCAL).exists() is bool(theirs)
        assert not stage.path("/etc/fail2ban/jail.d").exists()

    @ONE_SHELL
    def test_another_section_of_that_name_is_refused(self, stage: Stage, guard: Fail2ban) -> None:
        stage.write(JAIL_LOCAL, "[INCLUDES]\nbefore = other.conf\n")
        answer = applied(stage, inputs())
        assert answer.status == REFUSED
        assert "has a section INCLUDES" in answer.stderr
        assert stage.read(JAIL_LOCAL) == "[INCLUDES]\nbefore = other.conf\n"

    @ONE_SHELL
    def test_a_ban_takes_as_many_failures_as_are_needed(self, stage: Stage, guard: Fail2ban) -> None:
        guard.run(sshd="192.0.2.1")
        assert applied(stage, inputs(), None).status == 0
        assert guard.bans("sshd") == ["192.0.2.1"]


def test_exits_are_those_of_the_scripts() -> None:
    bodies = [CHAPTER.apply(inputs(), KnownState()).body, CHAPTER.restore(inputs(), KnownState()).body]
    for status in (ABSENT, REFUSED, NOT_STARTED):
        assert status in EXITS
        assert any(f"exit {status}\n" in body for body in bodies)

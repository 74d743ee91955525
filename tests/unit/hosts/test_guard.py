"""The guard's scripts on a stage: holding a host, arming, committing, rolling back by timer, at boot and on demand."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hosts.guard.guarded import (
    FOLDER,
    GONE_BACK,
    HELD,
    LOG,
    NOT_BACK,
    ROOM,
    UNSAVED,
    Guard,
    RunIdentity,
    armed,
    committed,
    given_up,
    hold,
    is_armed,
)
from hosts.guard.record import remember
from hosts.scripts import source
from hosts.shell import Answer, Script
from hosts.system.files import FILE_EXITS, NOT_WRITTEN
from tests.shell_room import Stage

OURS = RunIdentity("0123456789abcdef", "me@here, process 1")
THEIRS = RunIdentity("fedcba9876543210", "it's them@there, process 2")
TITLE = "firewall ipv4"
NAME = f"firewall-ipv4.{OURS.token}"
PATIENT = 30
"""A limit that no test reaches, but short enough that nothing is left running for long."""
SHORT = 3
"""A limit that expires at once."""
SLEEP = f"""\
case $1 in
    0.*) ;;
    1 | 60) [ ! -e /place/meanwhile ] || sh /place/meanwhile ;;
    {SHORT}) exec /usr/bin/sleep 0.2 ;;
    *) exec /usr/bin/sleep "$@" ;;
esac
"""
"""Does not wait; a test may let something happen while the timer waits for its next try."""
TRIES, SLOW = 210, 180


@dataclass
class Host:
    """A host without systemd; changes are to `setting`."""

    stage: Stage

    @property
    def setting(self) -> str:
        return self.stage.read("/place/setting")

    @property
    def lasting(self) -> str:
        return self.stage.read("/place/lasting")

    @property
    def folder(self) -> Path:
        """The folder of the only guard."""
        (folder,) = self.stage.path(FOLDER).iterdir()
        return folder

    @property
    def log(self) -> str:
        return self.stage.read(LOG)

    def guard(self, limit: int = PATIENT, back: str = "") -> Guard:
        """A guard that saves and restores the setting; a commit makes it persistent."""
        put_back = 'cat "$guard/setting" >"$place/setting"; echo "$occasion" >"$place/occasion"'
        return Guard(
            'cp "$place/setting" "$guard/setting"',
            back or put_back,
            'cp "$place/setting" "$place/lasting"',
            {"place": "/place"},
            limit,
        )

    def run(self, script: Script) -> Answer:
        return self.stage.one(script)

    def change(self, guard: Guard, run: RunIdentity = OURS, then: str = "") -> Answer:
        """Set `new` under the guard."""
        return self.run(armed(Script("change", f'\narm\necho new >"$place/setting"\n{then}'), guard, TITLE, run))

    def back(self, *arguments: str, folder: str = NAME) -> None:
        """Run the rollback, as the timer or the boot does."""
        self.stage.execute("/bin/sh", f"{FOLDER}/{folder}/back", *arguments, check=False)

    def process(self, work: str = "/usr/bin/sleep 600") -> tuple[str, str]:
        """Start a process that keeps running; return its id and start time."""
        started = 'read -r stat <"/proc/$!/stat"; set -- ${stat##*) }; shift 19; echo "$1"'
        body = f"{work} >/dev/null 2>&1 & echo $!; {started}"
        pid, start = self.run(Script("start", body)).stdout.split()
        return pid, start


@pytest.fixture
def host(stage: Stage) -> Host:
    stage.write("/place/setting", "old\n")
    stage.program("sleep", SLEEP)
    return Host(stage)


def hold_as(host: Host, run: RunIdentity, pid: str, start: str, socket: str = "") -> None:
    """Make the process `pid` hold the host for `run`."""
    host.stage.write("/run/stockade/holder", f"{run.token}\n{pid}\n{start}\n{socket}\n{run.name}\n")


def soon(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_confirmed_change_lasts_and_leaves_nothing_behind(host: Host) -> None:
    guard = host.guard()
    assert host.change(guard).status == 0
    assert host.folder.name == NAME
    answer = host.run(committed(guard, TITLE, OURS))
    assert (answer.status, answer.stderr) == (0, "")
    assert host.setting == host.lasting == "new\n"
    assert not host.stage.path("/var/lib/stockade").exists()
    assert [path.name for path in host.stage.path("/run/stockade").iterdir()] == [f"kept.{NAME}"]
    assert soon(lambda: host.stage.processes() == set())


def test_what_is_kept_of_an_armed_change_is_programs_and_data(host: Host) -> None:
    guard = replace(host.guard(), values={"place": "/place", "odd": 'it\'s $(x) `y` \\n\n"z"'})
    back = 'printf "%s" "$odd" >"$place/odd"; cat "$guard/setting" >"$place/setting"'
    answer = host.change(replace(guard, back=back))
    assert answer.sections["armed"] == f"{FOLDER}/{NAME}\n"
    there = {path.name for path in host.folder.iterdir()}
    assert there == {"back", "restore", "setting", "changer", "sleeper", "room", "boot_id"}
    assert (host.folder / "room").stat().st_size == ROOM
    assert (host.folder / "restore").read_text().endswith(f"\nset -eu\n{back}\n")
    assert (
        (host.folder / "back").read_text().startswith("title='firewall ipv4'\nname='firewall-ipv4.0123456789abcdef'\n")
    )
    assert host.folder.stat().st_mode & 0o077 == 0
    assert host.run(given_up(TITLE, OURS)).status == 0
    assert host.stage.read("/place/odd") == guard.values["odd"]


def test_what_is_armed_is_on_the_disk_before_the_change(host: Host) -> None:
    host.stage.program("sync", 'echo "$@" "$(cat /place/setting)" >>/place/synced')
    assert host.change(host.guard()).status == 0
    synced = host.stage.read("/place/synced").splitlines()
    assert len(synced) == 2
    assert all(line.endswith(" old") for line in synced)
    assert {f"{FOLDER}/{NAME}.new/{name}" for name in ("back", "restore", "boot_id")} < {*synced[0].split()}
    assert synced[1] == f"{FOLDER} old"


def test_a_record_is_on_the_disk_before_it_counts(host: Host) -> None:
    host.stage.program("sync", 'echo "$@" >>/place/synced; ls "${1%/*}" >>/place/there')
    assert host.run(remember("sshd", Script("look", "echo prior"))).status == 0
    assert "/var/lib/stockade/prior/sshd.new" in host.stage.read("/place/synced").split()
    assert "sshd\n" not in host.stage.read("/place/there").partition("sshd.new")[0]


def test_a_commit_whose_answer_was_lost_can_be_repeated(host: Host) -> None:
    guard = host.guard()
    host.change(guard)
    assert [host.run(committed(guard, TITLE, OURS)).status for _ in range(2)] == [0, 0]
    assert host.setting == "new\n"


def test_a_commit_that_was_cut_in_the_middle_is_finished_by_the_next(host: Host) -> None:
    guard = host.guard()
    host.change(guard)
    host.folder.rename(f"{host.folder}.done")
    assert host.run(committed(guard, TITLE, OURS)).status == 0
    assert host.lasting == "new\n"


def test_a_commit_that_fails_leaves_the_way_back(host: Host) -> None:
    guard = host.guard()
    host.change(guard)
    assert host.run(committed(replace(guard, commit="exit 9"), TITLE, OURS)).status == 9
    assert host.run(given_up(TITLE, OURS)).status == 0
    assert host.setting == "old\n"


def test_what_commits_holds_no_lock_of_the_guards(host: Host) -> None:
    guard = replace(host.guard(), commit="[ ! -e /proc/self/fd/9 ]")
    host.change(guard)
    assert host.run(committed(guard, TITLE, OURS)).status == 0


def test_without_confirmation_it_goes_back_alone(host: Host) -> None:
    guard = host.guard(SHORT)
    assert host.change(guard).status == 0
    assert soon(lambda: host.stage.read("/place/occasion") == "timer\n")
    answer = host.run(committed(guard, TITLE, OURS))  # waits until the commit is done
    assert host.setting == "old\n"
    assert answer.status == GONE_BACK
    assert "firewall ipv4: the change was not confirmed in time: the previous settings" in answer.stderr
    assert NAME not in answer.stderr
    assert host.lasting == ""


def test_given_up_goes_back_at_once_and_says_so(host: Host) -> None:
    host.change(host.guard())
    answer = host.run(given_up(TITLE, OURS))
    assert answer.status == 0
    assert "the change could not be confirmed: the previous settings are in force again" in answer.stdout
    assert host.setting == "old\n"
    assert host.stage.read("/place/occasion") == "now\n"
    assert host.log.count("\n") == 1
    assert NAME in host.log
    assert not host.stage.path(FOLDER).exists()
    assert soon(lambda: host.stage.processes() == set())


def test_giving_up_what_is_being_committed_goes_back_too(host: Host) -> None:
    host.change(host.guard())
    host.folder.rename(f"{host.folder}.done")
    assert host.run(given_up(TITLE, OURS)).status == 0
    assert host.setting == "old\n"


def test_giving_up_what_was_never_armed_says_and_does_nothing(host: Host) -> None:
    answer = host.run(given_up(TITLE, OURS))
    assert (answer.status, answer.stdout) == (0, "")
    assert host.log == ""


def test_nothing_is_changed_when_the_prior_state_cannot_be_saved(host: Host) -> None:
    guard = replace(host.guard(), save="exit 28")
    assert host.change(guard).status == 28
    assert host.setting == "old\n"
    assert not list(host.stage.path(FOLDER).iterdir())
    host.run(given_up(TITLE, OURS))
    assert not host.stage.path("/var/lib/stockade").exists()


def test_a_full_disk_is_told_from_other_faults(host: Host) -> None:
    answer = host.change(replace(host.guard(), save="echo x 2>&- >/dev/full"))
    assert answer.status == UNSAVED
    assert "Use%" in answer.stderr or "Capacity" in answer.stderr
    assert host.setting == "old\n"


def test_a_change_that_stands_still_is_ended_before_going_back(host: Host) -> None:
    host.stage.execute("mkfifo", "/place/stuck")
    body = '\narm\n(read -r _ <"$place/stuck"; echo child >"$place/setting"); echo new >"$place/setting"'
    with pytest.raises(AssertionError):  # its shell was killed: the answer is incomplete
        host.run(armed(Script("change", body), host.guard(SHORT), TITLE, OURS))
    answer = host.run(given_up(TITLE, OURS))
    assert "was not confirmed in time" in answer.stdout
    assert host.setting == "old\n"
    assert soon(lambda: host.stage.processes() == set())


def test_a_change_that_cannot_be_ended_is_not_waited_for_for_ever(host: Host) -> None:
    host.change(host.guard())
    stat = host.stage.execute("cat", "/proc/1/stat").stdout  # nobody in its namespace can kill it
    (host.folder / "changer").write_text(f"1 {stat.rpartition(') ')[2].split()[19]}\n")
    host.stage.forget_calls()
    host.back("now")
    assert host.setting == "old\n"
    assert 100 <= len(host.stage.calls("sleep")) <= 110


def test_a_process_of_the_same_number_is_another_one(host: Host) -> None:
    host.change(host.guard())
    pid, start = host.process()
    (host.folder / "changer").write_text(f"{pid} {int(start) + 1}\n")
    host.back("now")
    assert host.setting == "old\n"
    assert "/usr/bin/sleep 600" in host.stage.processes()


def test_at_boot_no_process_is_the_changer(host: Host) -> None:
    host.change(host.guard())
    (host.folder / "changer").write_text(" ".join(host.process()) + "\n")
    host.back("boot")
    assert host.setting == "old\n"
    assert "/usr/bin/sleep 600" in host.stage.processes()


def test_sudo_that_stopped_with_what_it_ran_goes_on_to_see_its_end(host: Host) -> None:
    host.change(host.guard())
    host.stage.program("sudo", "/usr/bin/sleep 600 & echo $! >/place/child; kill -STOP $$; echo on >/place/continued")
    host.process("sudo")
    assert soon(lambda: host.stage.read("/place/child") != "")
    child = host.stage.read("/place/child").strip()
    stat = host.stage.execute("cat", f"/proc/{child}/stat").stdout
    (host.folder / "changer").write_text(f"{child} {stat.rpartition(') ')[2].split()[19]}\n")
    host.back("now")
    assert host.setting == "old\n"
    assert soon(lambda: host.stage.read("/place/continued") == "on\n")
    assert soon(lambda: "/usr/bin/sleep 600" not in host.stage.processes())


def test_going_back_that_fails_is_recorded_and_can_be_repeated(host: Host) -> None:
    guard = host.guard(back='[ -e "$place/mended" ] && cat "$guard/setting" >"$place/setting"')
    host.change(guard)
    assert host.run(given_up(TITLE, OURS)).status == NOT_BACK
    assert "going back FAILED with status 1" in host.log
    host.stage.write("/place/mended")
    assert host.run(given_up(TITLE, OURS)).status == 0
    assert host.setting == "old\n"


def test_the_timer_goes_on_trying_and_says_so(host: Host) -> None:
    back = 'echo x >>"$place/tries"; [ "$(wc -l <"$place/tries")" -gt 40 ] && cat "$guard/setting" >"$place/setting"'
    host.change(host.guard(back=back))
    host.stage.forget_calls()
    host.back("timer")
    assert host.setting == "old\n"
    told = [line.rpartition(": ")[2] for line in host.log.splitlines()]
    assert told == [
        "going back fails with status 1, and is tried again",
        "the previous settings are in force again",
    ]
    waits = [call.arguments[0] for call in host.stage.calls("sleep")]
    waits = [seconds for seconds in waits if seconds != "30"]  # the timer of the change, whenever it starts
    assert waits == ["1"] * (TRIES - SLOW - 1) + ["60"] * 11


def test_the_timer_gives_up_in_the_end(host: Host) -> None:
    host.change(host.guard(back='echo x >>"$place/tries"; exit 3'))
    host.back("timer")
    assert host.log.splitlines()[-1].endswith("going back FAILED with status 3")
    assert host.stage.read("/place/tries").count("x") == TRIES


def test_somebody_else_may_go_back_while_the_timer_waits(host: Host) -> None:
    host.change(host.guard(back='echo x >>"$place/tries"; [ -e "$place/mended" ]'))
    back = f"{FOLDER}/{NAME}.going/back"
    few = f"[ $(wc -l </place/tries) -gt {TRIES - SLOW} ] || exit 0"
    host.stage.write("/place/meanwhile", f"{few}; rm /place/meanwhile; touch /place/mended; sh {back} now")
    host.back("timer")
    assert host.log.count("in force again") == 1


def test_room_is_kept_for_going_back_and_given_up_first(host: Host) -> None:
    host.change(host.guard(back='[ ! -e "$guard/room" ] && cat "$guard/setting" >"$place/setting"'))
    assert host.run(given_up(TITLE, OURS)).status == 0
    assert host.setting == "old\n"


@pytest.mark.parametrize(
    ("suffix", "setting"), [("", "old\n"), (".going", "old\n"), (".new", "new\n"), (".done", "new\n")]
)
def test_at_boot_only_what_was_armed_and_not_confirmed_goes_back(host: Host, suffix: str, setting: str) -> None:
    host.change(host.guard())
    host.folder.rename(f"{host.folder}{suffix}")
    host.back("boot", folder=NAME + suffix)
    assert host.setting == setting


def test_an_init_script_goes_back_at_boot_where_there_is_no_systemd(host: Host) -> None:
    host.stage.folder(*(f"/etc/rc.d/{name}" for name in ("init.d", "rc2.d", "rc3.d", "rc4.d", "rc5.d")))
    guard = host.guard()
    host.change(guard)
    links = sorted(
        str(path.relative_to(host.stage.path("/etc/rc.d"))) for path in host.stage.path("/etc/rc.d").glob("rc*/*")
    )
    assert links == [f"rc{level}.d/S01stockade-guard" for level in (2, 3, 4, 5)]
    host.stage.execute("/etc/rc.d/rc3.d/S01stockade-guard", "stop")
    assert host.setting == "new\n"
    host.stage.execute("/etc/rc.d/rc3.d/S01stockade-guard", "start")
    assert host.setting == "old\n"
    host.change(guard)
    host.run(committed(guard, TITLE, OURS))
    assert [path for path in host.stage.path("/etc/rc.d").rglob("*") if not path.is_dir()] == []


@pytest.mark.parametrize("insserv", [True, False])
def test_a_script_of_debian_goes_back_at_boot_where_there_is_no_systemd(host: Host, insserv: bool) -> None:
    host.stage.folder("/etc/init.d", "/etc/rcS.d", "/run/stockade")
    if insserv:
        host.stage.program("/sbin/insserv")
        link, rm = "ln -s ../init.d/$1 /etc/rcS.d/S02$1", "rm -f /etc/rcS.d/S02$1"
        host.stage.program("update-rc.d", f"case $2 in defaults) {link} ;; remove) {rm} ;; esac")
    guard = host.guard()
    host.change(guard)
    # without insserv: after local disks, before the network
    script = f"/etc/rcS.d/S{'02' if insserv else '37'}stockade-guard"
    host.stage.execute(script, "stop")
    assert host.setting == "new\n"
    host.stage.execute(script, "start")
    assert host.setting == "old\n"
    host.change(guard)
    host.run(committed(guard, TITLE, OURS))
    assert [path.name for name in ("init.d", "rcS.d") for path in host.stage.path(f"/etc/{name}").iterdir()] == []
    asked = [call.arguments[1] for call in host.stage.calls("update-rc.d")]
    assert (
        asked == (["defaults", "defaults", "remove"] if insserv else [])[-2 if insserv else 0 :]
        or asked[-1] == "remove"
    )


UNIT = "/etc/systemd/system/stockade-guard.service"
WANTED = "/etc/systemd/system/sysinit.target.wants/stockade-guard.service"


@pytest.mark.parametrize(
    ("knows", "unit"),
    [("--collect", "timer"), ("--on-active", "timer"), ("", "service")],
    ids=["today's systemd", "before 236", "before 218"],
)
def test_systemd_goes_back_when_time_is_up_and_at_boot(host: Host, knows: str, unit: str) -> None:
    refuse = {"--collect": "", "--on-active": "--collect", "": "--on-active"}[knows]
    host.stage.systemd()
    host.stage.program("systemd-run", f'case " $* " in *" {refuse or "no such"}"*) exit 1 ;; esac')
    host.stage.program("systemctl")
    guard = host.guard()
    assert host.change(guard).status == 0
    assert host.stage.read(UNIT) == source("hosts/guard/installed/boot.service")
    assert host.stage.path(UNIT).stat().st_mode & 0o777 == 0o644
    assert str(host.stage.path(WANTED).readlink()) == UNIT
    run = host.stage.calls("systemd-run")[-1].arguments
    name = next(word for word in run if word.startswith("--unit=")).removeprefix("--unit=")
    assert (host.folder / "timer").read_text() == f"{name}.{unit}"
    changer = (host.folder / "changer").read_text().strip()
    back = f"{FOLDER}/{NAME}/back"
    if unit == "timer":
        assert f"--on-active={PATIENT}" in run
        assert run[-4:] == ("/bin/sh", back, "timer", changer)
    else:
        assert run[-7:-3] == ("/bin/sh", "-c", 'sleep "$1"; exec sh "$2" timer "$3"', "guard")
        assert run[-3:] == (str(PATIENT), back, changer)
    host.run(committed(guard, TITLE, OURS))
    assert [str(call) for call in host.stage.calls("systemctl")] == [f"systemctl stop {name}.{unit}"]
    assert not host.stage.path(UNIT).exists()
    assert not host.stage.path(WANTED).is_symlink()


def test_the_unit_at_boot_runs_what_goes_back(host: Host) -> None:
    host.change(host.guard())
    [start] = [line for line in source("hosts/guard/installed/boot.service").splitlines() if "ExecStart=" in line]
    host.stage.execute("/bin/sh", "-c", 'eval "${1#ExecStart=}"', "sh", start)
    assert host.setting == "old\n"
    assert host.stage.read("/place/occasion") == "boot\n"


def test_what_goes_back_at_boot_stays_while_another_change_is_armed(host: Host) -> None:
    host.stage.systemd()
    host.stage.program("systemd-run")
    host.stage.program("systemctl")
    guard = host.guard()
    host.change(guard)
    other = armed(Script("change", "\narm\n:"), guard, "sshd", OURS)
    host.run(other)
    host.run(committed(guard, TITLE, OURS))
    assert host.stage.path(WANTED).is_symlink()
    host.run(committed(guard, "sshd", OURS))
    assert not host.stage.path(WANTED).is_symlink()


def test_a_further_step_goes_back_to_what_was_before_the_first(host: Host) -> None:
    guard = host.guard()
    host.change(guard)
    first = (host.folder / "changer").read_text().strip()
    step = armed(Script("change", '\narm\necho newer >"$place/setting"'), guard, TITLE, OURS, continued=True)
    answer = host.run(step)
    assert (answer.status, is_armed(answer)) == (0, True)
    host.back("timer", first)  # the timer of the first step
    assert host.setting == "newer\n"
    assert host.run(given_up(TITLE, OURS)).status == 0
    assert host.setting == "old\n"
    late = host.run(step)
    assert late.status == GONE_BACK
    assert "the change could not be confirmed" in late.stderr
    assert host.setting == "old\n"


@pytest.mark.parametrize("kept", [True, False])
def test_a_first_change_that_goes_back_leaves_no_record_of_the_prior_state(host: Host, kept: bool) -> None:
    guard = host.guard()
    record = host.stage.path("/var/lib/stockade/prior/firewall-ipv4")
    host.run(hold(OURS))
    host.run(remember(TITLE, Script("observe", 'cat "$place/setting"', {"place": "/place"})))
    assert record.exists()
    host.change(guard)
    host.run(committed(guard, TITLE, OURS) if kept else given_up(TITLE, OURS))
    assert record.exists() == kept
    host.change(guard)  # an update: the record is from an earlier change
    host.run(given_up(TITLE, OURS))
    assert record.exists() == kept


def test_the_timer_of_an_earlier_change_does_not_touch_a_later_one(host: Host) -> None:
    host.change(host.guard())
    host.back("timer", "1 1")
    assert host.setting == "new\n"
    host.back("timer", (host.folder / "changer").read_text().strip())
    assert host.setting == "old\n"


def test_a_change_from_before_a_reboot_cannot_be_confirmed(host: Host) -> None:
    guard = host.guard()
    host.change(guard)
    (host.folder / "boot_id").write_text("another boot\n")
    answer = host.run(committed(guard, TITLE, OURS))
    assert answer.status == GONE_BACK
    assert "the host started again before the change was confirmed" in answer.stderr
    assert host.setting == "old\n"


def test_what_a_dead_run_left_is_settled_and_ours_is_not(host: Host) -> None:
    host.change(host.guard(), THEIRS)
    assert host.run(hold(THEIRS)).status == 0
    assert host.setting == "new\n"
    answer = host.run(hold(OURS))
    assert answer.status == 0
    assert "cleaning up after an earlier run" in answer.stderr
    assert host.setting == "old\n"
    assert "the run that made the change ended without confirming it" in host.log


@pytest.mark.parametrize("suffix", [".new", ".done"])
def test_what_died_before_it_was_armed_or_after_it_was_confirmed_is_cleared_away(host: Host, suffix: str) -> None:
    host.change(host.guard(), THEIRS)
    host.folder.rename(f"{host.folder}{suffix}")
    assert host.run(hold(OURS)).stderr == ""
    assert host.setting == "new\n"
    assert not host.stage.path(FOLDER).exists()


def test_what_cannot_go_back_keeps_nobody_from_the_host(host: Host) -> None:
    host.change(host.guard(back="exit 5"), THEIRS)
    assert host.run(hold(OURS)).status == 0
    assert "going back FAILED with status 5" in host.log
    assert not host.stage.path(FOLDER).exists()


def test_a_new_run_forgets_what_the_last_one_kept_and_the_same_run_does_not(host: Host) -> None:
    guard = host.guard()
    host.run(hold(OURS))
    host.change(guard)
    host.run(committed(guard, TITLE, OURS))
    host.run(hold(OURS))
    assert host.run(committed(guard, TITLE, OURS)).status == 0  # repeated
    host.run(hold(THEIRS))
    assert host.run(committed(guard, TITLE, OURS)).status == GONE_BACK


def test_a_host_that_another_run_has_is_refused_with_its_name(host: Host) -> None:
    hold_as(host, THEIRS, *host.process())
    answer = host.run(hold(OURS))
    assert answer.status == HELD
    assert answer.stderr == f"{THEIRS.name}\n"
    assert len(host.stage.calls("sleep")) == 60
    assert host.run(hold(THEIRS)).status == 0


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("start", ["1", ""])
def test_a_holder_that_is_no_more_holds_nothing(host: Host, start: str, gone: bool) -> None:
    """Its process id belongs to another process or to none; it may have ended before its start time was read."""
    hold_as(host, THEIRS, str(2**22 - 1) if gone else host.process()[0], start)
    assert host.run(hold(OURS)).status == 0
    assert host.stage.read("/run/stockade/holder").startswith(f"{OURS.token}\n")


SOCKETS = """\
State  Recv-Q Send-Q Local Address:Port  Peer Address:Port
ESTAB  0      0      10.0.0.2:22         10.0.0.1:4711 users:(("ino:77",pid=1,fd=4)) ino:78 sk:1
\t cubic rto:204 lastsnd:5 lastrcv:5 lastack:5
ESTAB  0      0      10.0.0.2:22         10.0.0.1:4712 timer:(keepalive,9sec,0) ino:77 sk:2
\t cubic rto:204 lastsnd:5 lastrcv:{silence} lastack:5
CLOSE-WAIT 0  0      10.0.0.2:22         10.0.0.1:4713 ino:79 sk:3
\t cubic rto:204 lastrcv:5
"""


@pytest.mark.parametrize(
    ("inode", "silence", "work", "held"),
    [
        ("77", 60_000, "/usr/bin/sleep 600", True),
        ("77", 60_001, "/usr/bin/sleep 600", False),  # the cable was cut
        ("77", 60_001, "sh -c '/usr/bin/sleep 600; :'", True),  # a long step
        ("79", 5, "/usr/bin/sleep 600", False),  # closed
        ("80", 5, "/usr/bin/sleep 600", False),  # gone
    ],
)
def test_a_holder_whose_connection_is_dead_holds_nothing(
    host: Host, inode: str, silence: int, work: str, held: bool
) -> None:
    host.stage.write("/place/sockets", SOCKETS.format(silence=silence))
    host.stage.program("ss", "cat /place/sockets")
    pid, start = host.process(work)
    if "sh -c" in work:
        assert soon(lambda: "/usr/bin/sleep 600" in host.stage.processes())
    hold_as(host, THEIRS, pid, start, inode)
    assert (host.run(hold(OURS)).status == HELD) == held


def test_the_name_of_a_run_is_data(host: Host) -> None:
    nasty = RunIdentity(THEIRS.token, "it's $(touch x) `touch y` \\n")
    assert host.run(hold(nasty)).status == 0
    pid, start = host.process()
    hold_as(host, nasty, pid, start)
    assert host.run(hold(OURS)).stderr == f"{nasty.name}\n"


def test_a_file_that_cannot_be_made_permanent_is_explained() -> None:
    assert committed(Guard("", ""), TITLE, OURS).exits[NOT_WRITTEN] == FILE_EXITS[NOT_WRITTEN]

"""The guard's scripts, run by the sh of this machine in a folder that stands for a host without systemd."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hosts.guard.back_shell import SLOW, TRIES
from hosts.guard.guarded import Guard, Run, armed, committed, given_up, hold, is_armed
from hosts.guard.record import remember
from hosts.guard.shell import GONE_BACK, HELD, NOT_BACK, ROOM, UNSAVED
from hosts.shell import Answer, Script
from tests.unit.hosts.test_shell import one

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
OURS = Run("0123456789abcdef", "me@here, process 1")
THEIRS = Run("fedcba9876543210", "it's them@there, process 2")
TITLE = "firewall ipv4"
PATIENT = 30
"""A limit that no test comes to, and that leaves nothing running for long."""
AWAIT = 20


@dataclass
class Sandbox:
    """A host in a folder: `setting` is what changes there are about."""

    root: Path

    @property
    def setting(self) -> Path:
        return self.root / "setting"

    @property
    def meanwhile(self) -> Path:
        """A script that runs while the timer waits for its next try."""
        return self.root / "meanwhile"

    @property
    def folder(self) -> Path:
        return self.root / "lib/guard"

    @property
    def log(self) -> str:
        path = self.root / "lib/guard.log"
        return path.read_text() if path.exists() else ""

    def guard(self, limit: int = PATIENT, back: str = "") -> Guard:
        """Saves the setting and puts it back; a commit makes it last."""
        put_back = 'cat "$guard/setting" >"$place/setting"; echo "$occasion" >"$place/occasion"'
        return Guard(
            'cp "$place/setting" "$guard/setting"',
            back or put_back,
            'cp "$place/setting" "$place/lasting"',
            {"place": str(self.root)},
            limit,
        )

    def here(self, script: Script) -> Script:
        """The same script, with this folder for the host's own, no systemd, no journal, and nothing to wait for."""
        paths = {
            "/var/lib/stockade": f"{self.root}/lib",
            "/run/stockade": f"{self.root}/run",
            "/run/systemd/system": f"{self.root}/none",
            "/etc/rc.d": f"{self.root}/rc.d",
            "/etc/rcS.d": f"{self.root}/rcS.d",
            "/etc/init.d": f"{self.root}/init.d",
            "/sbin/insserv": f"{self.root}/none",
            "logger -t": ": -t",
            "sleep 0.25": ":",
            'sleep "$pause"': f"[ ! -e {self.meanwhile} ] || sh {self.meanwhile}",
        }

        def moved(text: str) -> str:
            for old, new in paths.items():
                text = text.replace(old, new)
            return text

        return replace(script, body=moved(script.body), values={k: moved(v) for k, v in script.values.items()})

    def run(self, script: Script) -> Answer:
        return one(self.here(script))

    def change(self, guard: Guard, run: Run = OURS, then: str = "") -> Answer:
        """Set `new` under the guard."""
        return self.run(armed(Script("change", f'\narm\necho new >"$place/setting"\n{then}'), guard, TITLE, run))


@pytest.fixture
def host(tmp_path: Path) -> Sandbox:
    (tmp_path / "setting").write_text("old\n")
    return Sandbox(tmp_path)


@pytest.fixture
def sleeping() -> Iterator[int]:
    """A process that stays until the test ends."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process.pid
        process.kill()


def hold_as(host: Sandbox, run: Run, pid: int, start: str | None = None) -> None:
    """Let the process `pid` have the host for `run`."""
    began = start if start is not None else Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19]
    (host.root / "run").mkdir(exist_ok=True)
    text = (
        f"held_run='{run.token}'\nheld_pid='{pid}'\nheld_start='{began}'\nheld_by='{run.name.replace(chr(39), '')}'\n"
    )
    (host.root / "run/holder").write_text(text)


def test_a_confirmed_change_lasts_and_leaves_nothing_behind(host: Sandbox) -> None:
    guard = host.guard()
    assert host.change(guard).status == 0
    assert [path.name for path in host.folder.iterdir()] == [f"firewall-ipv4.{OURS.token}"]
    answer = host.run(committed(guard, TITLE, OURS))
    assert (answer.status, answer.stderr) == (0, "")
    assert host.setting.read_text() == (host.root / "lasting").read_text() == "new\n"
    assert not (host.root / "lib").exists()


def test_a_confirmed_change_leaves_no_process_behind(host: Sandbox) -> None:
    guard = host.guard()
    host.change(guard)
    (folder,) = host.folder.iterdir()
    pid = int((folder / "sleeper").read_text().split()[0])
    assert os.getpgid(pid) == pid
    host.run(committed(guard, TITLE, OURS))
    running = f"sed 's/.*) //' /proc/{pid}/stat 2>&- | grep -qv ^Z"  # a zombie waits for its parent only
    wait = f"for i in $(seq 100); do {running} || exit 0; sleep 0.05; done; exit 1"
    assert subprocess.run(["sh", "-c", wait], check=False).returncode == 0


def test_a_commit_whose_answer_was_lost_can_be_repeated(host: Sandbox) -> None:
    guard = host.guard()
    host.change(guard)
    assert [host.run(committed(guard, TITLE, OURS)).status for _ in range(2)] == [0, 0]
    assert host.setting.read_text() == "new\n"


def test_a_commit_that_was_cut_in_the_middle_is_finished_by_the_next(host: Sandbox) -> None:
    guard = host.guard()
    host.change(guard)
    (folder,) = host.folder.iterdir()
    folder.rename(f"{folder}.done")
    assert host.run(committed(guard, TITLE, OURS)).status == 0
    assert (host.root / "lasting").read_text() == "new\n"


def test_a_commit_that_fails_leaves_the_way_back(host: Sandbox) -> None:
    guard = host.guard()
    host.change(guard)
    assert host.run(committed(replace(guard, commit="exit 9"), TITLE, OURS)).status == 9
    assert host.run(given_up(TITLE, OURS)).status == 0
    assert host.setting.read_text() == "old\n"


def test_without_confirmation_it_goes_back_alone(host: Sandbox) -> None:
    os.mkfifo(host.root / "told")
    guard = host.guard(1, 'cat "$guard/setting" >"$place/setting"; echo "$occasion" >"$place/told"')
    assert host.change(guard).status == 0
    told = subprocess.run(["cat", host.root / "told"], capture_output=True, text=True, timeout=AWAIT, check=True)
    assert told.stdout == "timer\n"
    assert host.setting.read_text() == "old\n"
    answer = host.run(committed(guard, TITLE, OURS))  # waits until it is done
    assert answer.status == GONE_BACK
    assert "firewall ipv4: the change was not confirmed in time: what was in force before" in answer.stderr
    assert not (host.root / "lasting").exists()


def test_given_up_goes_back_at_once_and_says_so(host: Sandbox) -> None:
    host.change(host.guard())
    answer = host.run(given_up(TITLE, OURS))
    assert answer.status == 0
    assert "the change could not be confirmed: what was in force before is in force again" in answer.stdout
    assert host.setting.read_text() == "old\n"
    assert (host.root / "occasion").read_text() == "now\n"
    assert host.log.count("\n") == 1


def test_giving_up_what_was_never_armed_says_and_does_nothing(host: Sandbox) -> None:
    answer = host.run(given_up(TITLE, OURS))
    assert (answer.status, answer.stdout) == (0, "")
    assert host.log == ""


def test_nothing_is_changed_when_the_prior_state_cannot_be_saved(host: Sandbox) -> None:
    guard = replace(host.guard(), save="exit 28")
    assert host.change(guard).status == 28
    assert host.setting.read_text() == "old\n"
    host.run(given_up(TITLE, OURS))
    assert not (host.root / "lib").exists()


def test_a_full_disk_is_told_from_other_faults(host: Sandbox) -> None:
    answer = host.change(replace(host.guard(), save="echo x 2>&- >/dev/full"))
    assert answer.status == UNSAVED
    assert "Use%" in answer.stderr or "Capacity" in answer.stderr
    assert host.setting.read_text() == "old\n"


def test_a_change_that_stands_still_is_ended_before_going_back(host: Sandbox) -> None:
    os.mkfifo(host.root / "stuck")
    script = armed(
        Script("change", '\narm\nread -r _ <"$place/stuck"; echo new >"$place/setting"'), host.guard(1), TITLE, OURS
    )
    with pytest.raises(AssertionError):  # its shell was killed: no whole answer
        host.run(script)
    answer = host.run(given_up(TITLE, OURS))
    assert "was not confirmed in time" in answer.stdout
    assert host.setting.read_text() == "old\n"


def test_going_back_that_fails_is_recorded_and_can_be_repeated(host: Sandbox) -> None:
    guard = host.guard(back='[ -e "$place/mended" ] && cat "$guard/setting" >"$place/setting"')
    host.change(guard)
    assert host.run(given_up(TITLE, OURS)).status == NOT_BACK
    assert "going back FAILED with status 1" in host.log
    (host.root / "mended").touch()
    assert host.run(given_up(TITLE, OURS)).status == 0
    assert host.setting.read_text() == "old\n"


def test_the_timer_goes_on_trying_and_says_so(host: Sandbox) -> None:
    back = 'echo x >>"$place/tries"; [ "$(wc -l <"$place/tries")" -gt 40 ] && cat "$guard/setting" >"$place/setting"'
    host.change(host.guard(back=back))
    (folder,) = host.folder.iterdir()
    subprocess.run(["sh", folder / "back", "timer"], timeout=AWAIT, check=True)
    assert host.setting.read_text() == "old\n"
    told = [line.rpartition(": ")[2] for line in host.log.splitlines()]
    assert told == [
        "going back fails with status 1, and is tried again",
        "what was in force before is in force again",
    ]


def test_somebody_else_may_go_back_while_the_timer_waits(host: Sandbox) -> None:
    host.change(host.guard(back='echo x >>"$place/tries"; [ -e "$place/mended" ]'))
    (folder,) = host.folder.iterdir()
    host.meanwhile.write_text(
        f"[ $(wc -l <{host.root}/tries) -gt {TRIES - SLOW} ] || exit 0; touch {host.root}/mended; sh {folder}/back now"
    )
    subprocess.run(["sh", folder / "back", "timer"], timeout=AWAIT, check=True)
    assert host.log.count("in force again") == 1


def test_room_is_kept_for_going_back_and_given_up_first(host: Sandbox) -> None:
    host.change(host.guard(back='[ ! -e "$guard/room" ] && cat "$guard/setting" >"$place/setting"'))
    (folder,) = host.folder.iterdir()
    assert (folder / "room").stat().st_size == ROOM
    assert host.run(given_up(TITLE, OURS)).status == 0
    assert host.setting.read_text() == "old\n"


@pytest.mark.parametrize(
    ("suffix", "setting"), [("", "old\n"), (".going", "old\n"), (".new", "new\n"), (".done", "new\n")]
)
def test_at_boot_only_what_was_armed_and_not_confirmed_goes_back(host: Sandbox, suffix: str, setting: str) -> None:
    host.change(host.guard())
    (folder,) = host.folder.iterdir()
    folder = folder.rename(f"{folder}{suffix}")
    subprocess.run(["sh", folder / "back", "boot"], timeout=AWAIT, check=False)
    assert host.setting.read_text() == setting


def test_an_init_script_goes_back_at_boot_where_there_is_no_systemd(host: Sandbox) -> None:
    for folder in ("init.d", "rc2.d", "rc3.d", "rc4.d", "rc5.d"):
        (host.root / "rc.d" / folder).mkdir(parents=True)
    guard = host.guard()
    host.change(guard)
    subprocess.run([host.root / "rc.d/rc3.d/S01stockade-guard", "stop"], timeout=AWAIT, check=True)
    assert host.setting.read_text() == "new\n"
    subprocess.run([host.root / "rc.d/rc3.d/S01stockade-guard", "start"], timeout=AWAIT, check=True)
    assert host.setting.read_text() == "old\n"
    host.change(guard)
    host.run(committed(guard, TITLE, OURS))
    assert [path for path in (host.root / "rc.d").rglob("*") if not path.is_dir()] == []


def test_a_script_of_debian_goes_back_at_boot_where_there_is_no_systemd(host: Sandbox) -> None:
    for folder in ("init.d", "rcS.d"):
        (host.root / folder).mkdir()
    guard = host.guard()
    host.change(guard)
    script = host.root / "rcS.d/S37stockade-guard"  # without insserv: after the disks, before the network
    subprocess.run([script, "stop"], timeout=AWAIT, check=True)
    assert host.setting.read_text() == "new\n"
    subprocess.run([script, "start"], timeout=AWAIT, check=True)
    assert host.setting.read_text() == "old\n"
    host.change(guard)
    host.run(committed(guard, TITLE, OURS))
    assert [path for name in ("init.d", "rcS.d") for path in (host.root / name).iterdir()] == []


def test_a_further_step_goes_back_to_what_was_before_the_first(host: Sandbox) -> None:
    guard = host.guard()
    host.change(guard)
    (folder,) = host.folder.iterdir()
    first = (folder / "changer").read_text().strip()
    step = armed(Script("change", '\narm\necho newer >"$place/setting"'), guard, TITLE, OURS, further=True)
    answer = host.run(step)
    assert (answer.status, is_armed(answer)) == (0, True)
    subprocess.run(["sh", folder / "back", "timer", first], timeout=AWAIT, check=True)  # of the first step
    assert host.setting.read_text() == "newer\n"
    assert host.run(given_up(TITLE, OURS)).status == 0
    assert host.setting.read_text() == "old\n"
    assert host.run(step).status == GONE_BACK
    assert host.setting.read_text() == "old\n"


@pytest.mark.parametrize("kept", [True, False])
def test_a_first_change_that_goes_back_leaves_no_record_of_the_prior_state(host: Sandbox, kept: bool) -> None:
    guard = host.guard()
    host.run(hold(OURS))
    host.run(remember(TITLE, Script("observe", 'cat "$place/setting"', {"place": str(host.root)})))
    assert (host.root / "lib/prior/firewall-ipv4").exists()
    host.change(guard)
    host.run(committed(guard, TITLE, OURS) if kept else given_up(TITLE, OURS))
    assert (host.root / "lib/prior/firewall-ipv4").exists() == kept
    host.change(guard)  # an update: the record is not of this change
    host.run(given_up(TITLE, OURS))
    assert (host.root / "lib/prior/firewall-ipv4").exists() == kept


def test_the_timer_of_an_earlier_change_does_not_touch_a_later_one(host: Sandbox) -> None:
    host.change(host.guard())
    (folder,) = host.folder.iterdir()
    subprocess.run(["sh", folder / "back", "timer", "1 1"], timeout=AWAIT, check=True)
    assert host.setting.read_text() == "new\n"
    subprocess.run(
        ["sh", folder / "back", "timer", (folder / "changer").read_text().strip()], timeout=AWAIT, check=True
    )
    assert host.setting.read_text() == "old\n"


def test_a_change_from_before_a_reboot_cannot_be_confirmed(host: Sandbox) -> None:
    guard = host.guard()
    host.change(guard)
    (folder,) = host.folder.iterdir()
    (folder / "boot_id").write_text("another boot\n")
    answer = host.run(committed(guard, TITLE, OURS))
    assert answer.status == GONE_BACK
    assert "the host started again before the change was confirmed" in answer.stderr
    assert host.setting.read_text() == "old\n"


def test_what_a_dead_run_left_is_settled_and_ours_is_not(host: Sandbox) -> None:
    host.change(host.guard(), THEIRS)
    assert host.run(hold(THEIRS)).status == 0
    assert host.setting.read_text() == "new\n"
    answer = host.run(hold(OURS))
    assert answer.status == 0
    assert "settling what an earlier run left" in answer.stderr
    assert host.setting.read_text() == "old\n"
    assert "the run that made the change ended without confirming it" in host.log


def test_a_host_that_another_run_has_is_refused_with_its_name(host: Sandbox, sleeping: int) -> None:
    hold_as(host, THEIRS, sleeping)
    answer = host.run(hold(OURS))
    assert answer.status == HELD
    assert answer.stderr == "its them@there, process 2\n"
    assert host.run(hold(THEIRS)).status == 0


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("start", ["1", ""])
def test_a_holder_that_is_no_more_holds_nothing(host: Sandbox, sleeping: int, start: str, gone: bool) -> None:
    """Its process id was given to another process or to none; it may have ended when its beginning was asked for."""
    hold_as(host, THEIRS, 2**22 + 1 if gone else sleeping, start)
    assert host.run(hold(OURS)).status == 0
    assert OURS.token in (host.root / "run/holder").read_text()


def test_the_name_of_a_run_is_data(host: Sandbox) -> None:
    nasty = Run(THEIRS.token, "it's $(touch x) `touch y`")
    assert host.run(hold(nasty)).status == 0
    holder = host.root / "run/holder"
    shown = subprocess.run(
        ["sh", "-c", f'. {holder}; printf %s "$held_by"'], capture_output=True, text=True, check=True
    )
    assert shown.stdout == nasty.name

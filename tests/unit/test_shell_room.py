"""The stage for scripts: programs there are isolated from this machine, and their results are exact."""

import os
import time
from pathlib import Path

import pytest

from hosts.shell import Script
from tests.shell_room import SHELLS, Call, Stage, missing


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_stage(shell: str) -> None:
    """Other tests are skipped for a shell that is not installed; this one reports it."""
    if (why := missing(shell)) is not None:
        pytest.skip(why)


def test_a_script_sees_the_stage_and_not_this_machine(stage: Stage, tmp_path: Path) -> None:
    stage.write("/etc/os-release", "ID=here\n")
    body = f'cat /etc/os-release; echo it >/var-file; mkdir -p /var/lib/stockade; [ ! -e {tmp_path} ]; echo "$0 $PWD"'
    answer = stage.one(Script("look", body))
    assert (answer.status, answer.stdout) == (0, "ID=here\n/bin/sh /\n")
    assert stage.read("/var-file") == "it\n"
    assert stage.path("/var/lib/stockade").is_dir()
    assert not Path("/var-file").exists()


def test_what_the_test_did_not_put_there_is_not_there(stage: Stage) -> None:
    body = "for p in apt-get systemctl iptables ss python3; do ! command -v $p; done; ls /sys 2>/dev/null || echo none"
    assert stage.one(Script("look", body)).stdout == "none\n"
    assert stage.one(Script("write", "! touch /usr/bin/awk 2>&1; ! rm /host/usr/bin/cat 2>&1")).status == 0
    assert stage.one(Script("write", "echo mine >/dev/mine; ! mv -f /dev/mine /dev/null 2>&1")).status == 0
    assert not Path("/dev/mine").exists()
    assert Path("/dev/null").is_char_device()


def test_the_shell_is_the_one_that_was_asked_for(stage: Stage) -> None:
    inner = 'readlink -f "/proc/$$/exe"; :'
    shown = stage.one(Script("look", f"{inner}; sh -c '{inner}'")).stdout.split()
    assert len(shown) == 2
    assert len(set(shown)) == 1
    versions = {"bash": 'echo "${BASH_VERSION:+bash}"', "busybox": "busybox=1; /bin/sh --help 2>&1 | grep -o BusyBox"}
    if stage.shell in versions:
        assert stage.one(Script("ask", versions[stage.shell])).stdout.strip().lower().startswith(stage.shell)


def test_stubs_record_what_they_are_asked_and_answer_what_the_test_says(stage: Stage) -> None:
    stage.program("iptables-restore", 'cat; echo "no: $2" >&2; exit 3', reads=True)
    stage.program("/sbin/insserv", "echo sorted")
    stage.program("/bin/stty", "echo 80")
    body = "printf '*filter\\nCOMMIT' | iptables-restore -n 'two words' || echo $?; /sbin/insserv; /bin/stty"
    answer = stage.one(Script("load", body))
    assert (answer.stdout, answer.stderr) == ("*filter\nCOMMIT3\nsorted\n80\n", "no: two words\n")
    assert stage.calls() == [
        Call("iptables-restore", ("-n", "two words"), "*filter\nCOMMIT"),
        Call("insserv", ()),
        Call("stty", ()),
    ]
    assert [str(call) for call in stage.calls("insserv")] == ["insserv"]
    stage.forget_calls()
    assert stage.calls() == []


def test_processes_outlive_a_script_and_end_with_the_stage(stage: Stage) -> None:
    assert stage.one(Script("start", "sleep 600 >/dev/null 2>&1 &")).status == 0
    assert stage.processes() == {"sleep 600"}
    stage.close()
    assert stage.processes() == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_files_can_be_other_users(stage: Stage) -> None:
    stage.write("/etc/passwd", stage.read("/etc/passwd") + "deb:x:1000:1000::/home/deb:/bin/sh\n")
    stage.folder("/home/deb")
    body = "chown deb /home/deb; setpriv --reuid=1000 --clear-groups touch /home/deb/it; stat -c %U /home/deb/it"
    assert stage.one(Script("give", body)).stdout == "deb\n"


def test_a_run_takes_tens_of_milliseconds(stage: Stage) -> None:
    stage.one(Script("open", ":"))
    took = []
    for _ in range(5):
        start = time.monotonic()
        stage.one(Script("again", ":"))
        took.append(time.monotonic() - start)
    assert min(took) < 0.1

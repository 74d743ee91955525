"""The functions for yum, with a stub that prints yum 3's output and refuses options that yum 3 lacks."""

import pytest

from hosts.scripts import script
from hosts.shell import Answer, Script
from tests.shell_room import Stage
from tests.unit.recorded import case

PLAN = case("packages", "yum", "removes and installs, CentOS 6")["prints"]
INSTALLS, REMOVES = PLAN["* install *"], PLAN["* remove *"]
KNOWN = "-y | -q | --downloadonly | --setopt=exit_on_lock=1 | --setopt=clean_requirements_on_remove=[01]"


YUM = f"""\
for word; do case $word in {KNOWN}) ;; -*) echo "no such option: $word"; exit 1 ;; esac; done
read -r answer || answer=none
says=$(cat /fake/says)
printf '%s\\n' "$says"
[ "$says" = "${{says#the question}}" ] || echo "yum $* <$answer"
exit "$(cat /fake/status)"
"""


def shell(stage: Stage, body: str, says: str, status: int = 0) -> Answer:
    """Run `body` after the functions; yum prints `says`."""
    stage.write("/fake/says", says)
    stage.write("/fake/status", str(status))
    stage.program("yum", YUM)
    stage.program("rpm", "exit 1")
    stage.program("sleep")
    values = {"pkg_manager": "yum", "lock_wait": "0"}
    return stage.one(Script("ask", script("hosts/packages/yum.sh") + body, values))


def test_a_plan_is_what_yum_shows_before_its_question(stage: Stage) -> None:
    done = shell(stage, "_simulated install x", INSTALLS)
    assert done.stdout.splitlines() == ["Inst fail2ban", "Inst iptables-ipv6"]
    done = shell(stage, "_simulated remove x", REMOVES)
    assert done.stdout.splitlines() == ["Remv rpcbind", "Remv a-package-with-quite-a-long-name"]


def test_the_question_is_answered_with_no(stage: Stage) -> None:
    done = shell(stage, "_simulated remove x", "the question\n")
    assert done.stderr == "the question\nyum --setopt=exit_on_lock=1 remove x <n\n"


@pytest.mark.parametrize(
    ("says", "status", "printed"),
    [
        ("Error: Nothing to do\n", 0, ""),
        ("No Packages marked for removal\n", 0, ""),
        ('Error: Trying to remove "yum", which is protected\n', 0, "Remv yum\n"),
        ("No package nonesuch available.\nError: Nothing to do\n", 1, ""),
        ("Error: Cannot retrieve repository metadata\n", 1, ""),
    ],
)
def test_what_else_it_may_answer(stage: Stage, says: str, status: int, printed: str) -> None:
    done = shell(stage, "_simulated install x", says, 1)
    assert (done.status, done.stdout) == (status, printed)


def test_another_yum_at_work_ends_it_with_a_status_of_its_own(stage: Stage) -> None:
    assert shell(stage, "pkg_remove x", "Another app is currently holding the yum lock\n", 200).status == 72


def test_what_the_lists_lack_is_installed_with_fresh_ones(stage: Stage) -> None:
    shell(stage, "pkg_install x || :", "No package x available.\n", 1)
    told = [" ".join(word for word in call.arguments if not word.startswith("-")) for call in stage.calls("yum")]
    assert told == ["install x", "clean expire-cache"]
    stage.forget_calls()
    stage.program("yum", "case $* in *clean*) : >/fake/fresh ;; *) [ -e /fake/fresh ] ;; esac")
    values = {"pkg_manager": "yum", "lock_wait": "0"}
    done = stage.one(Script("ask", script("hosts/packages/yum.sh") + "pkg_install x", values))
    assert done.status == 0
    told = [" ".join(word for word in call.arguments if not word.startswith("-")) for call in stage.calls("yum")]
    assert told == ["install x", "clean expire-cache", "install x"]


def test_a_plan_takes_along_what_only_the_removed_needed_but_for_what_is_kept(stage: Stage) -> None:
    done = shell(stage, 'pkg_plan "" rpcbind a-package-with-quite-a-long-name; echo $_drops', REMOVES)
    assert done.stdout.split() == ["rpcbind"]

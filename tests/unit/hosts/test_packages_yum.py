"""The functions for yum, against a yum that shows what yum 3 prints and refuses what it does not have."""

import subprocess

import pytest

from hosts.packages.yum import YUM
from tests.unit.recorded import case

PLAN = case("packages", "yum", "removes and installs, CentOS 6")["prints"]
INSTALLS, REMOVES = PLAN["* install *"], PLAN["* remove *"]
KNOWN = "-y | -q | --downloadonly | --setopt=exit_on_lock=1 | --setopt=clean_requirements_on_remove=[01]"


def shell(body: str, says: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `body` after the functions, where yum prints `says`."""
    yum = f"""
        for word; do case $word in {KNOWN}) ;; -*) echo "no such option: $word"; exit 1 ;; esac; done
        read -r answer || answer=none
        printf '%s' "$says"
        [ "$says" = "${{says#the question}}" ] || echo "yum $* <$answer"
        exit {status}
    """
    # as a program, not a function: the functions `exec` it
    script = f"""
        bin=$(mktemp -d); trap 'rm -rf "$bin"' EXIT
        printf '#!/bin/sh\\n%s' "$program" >"$bin/yum"; chmod +x "$bin/yum"
        export says PATH="$bin:$PATH"
        rpm() {{ false; }}
        {YUM}
        {body}
    """
    env = {"PATH": "/usr/bin:/bin", "says": says, "program": yum, "lock_wait": "0"}
    return subprocess.run(["sh", "-euc", script], env=env, text=True, capture_output=True, check=False)


def test_a_plan_is_what_yum_shows_before_its_question() -> None:
    assert shell("_simulated install x", INSTALLS).stdout.splitlines() == ["Inst fail2ban", "Inst iptables-ipv6"]
    removed = ["Remv rpcbind", "Remv a-package-with-quite-a-long-name"]
    assert shell("_simulated remove x", REMOVES).stdout.splitlines() == removed


def test_the_question_is_answered_with_no() -> None:
    done = shell("_simulated remove x", "the question\n")
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
def test_what_else_it_may_answer(says: str, status: int, printed: str) -> None:
    done = shell("_simulated install x", says, 1)
    assert (done.returncode, done.stdout) == (status, printed)


def test_another_yum_at_work_ends_it_with_a_status_of_its_own() -> None:
    assert shell("pkg_remove x", "Another app is currently holding the yum lock\n", 200).returncode == 72


def test_a_plan_takes_along_what_only_the_removed_needed_but_for_what_is_kept() -> None:
    done = shell('pkg_plan "" rpcbind a-package-with-quite-a-long-name; echo $_drops', REMOVES)
    assert done.stdout.split() == ["rpcbind"]

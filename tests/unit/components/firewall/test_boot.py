"""The scripts that a host keeps for its next boot."""

import shutil
import subprocess

import pytest

from components.firewall.boot_look import LOOK, SCRIPT, debian_script

SCRIPTS = {"look": LOOK, "red-hat": SCRIPT, **{look: debian_script(look) for look in ("sets", "first", "second")}}


@pytest.mark.parametrize("name", SCRIPTS)
def test_they_are_sh(name: str) -> None:
    done = subprocess.run(["sh", "-n"], input=SCRIPTS[name], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_finds_nothing(name: str) -> None:
    argv = ["shellcheck", "--shell=sh", "-"]
    done = subprocess.run(argv, input=SCRIPTS[name], text=True, capture_output=True, check=False)
    assert done.stdout == ""

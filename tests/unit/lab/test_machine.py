"""The lab's messages on machines on which it cannot work, and what it installs on others."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from local.lab import machine
from local.lab.cli import CANNOT, main
from local.lab.errors import LabError
from local.lab.progress import Progress


def test_not_root_is_one_sentence_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["up"]) == CANNOT
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lab: the lab needs root on Debian or Ubuntu Linux (you are user id 1000); ")
    assert "stacks/Pulumi.<stack>.yaml" in err
    assert err.count("\n") == 1


def test_another_system_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(LabError, match=r"this is darwin.*docs/lab\.md"):
        machine.check_machine()


def without(monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name in programs else f"/usr/bin/{name}")


def test_nothing_is_installed_when_all_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch)
    monkeypatch.setattr(machine, "run", lambda *_, **__: pytest.fail("ran something"))
    machine.install_needed(Progress(quiet=True))


@pytest.mark.parametrize(
    ("program", "package"),
    [
        ("apt-ftparchive", "apt-utils"),
        ("debootstrap", "debootstrap"),
        ("ip", "iproute2"),
        ("mount", "mount"),
        ("nsenter", "util-linux"),
        ("perl", "perl-base"),
        ("setpriv", "util-linux"),
        ("ssh", "openssh-client"),
        ("ssh-keygen", "openssh-client"),
        ("systemd-nspawn", "systemd-container"),
        ("unshare", "util-linux"),
    ],
)
def test_each_program_has_a_package(monkeypatch: pytest.MonkeyPatch, program: str, package: str) -> None:
    ran: list[list[str]] = []
    without(monkeypatch, program)
    monkeypatch.setattr(machine, "run", lambda argv, **_: ran.append(argv))
    machine.install_needed(Progress(quiet=True))
    assert ran[-1][-1] == package


def test_only_missing_packages_are_installed_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []

    def fake_run(argv: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(list(argv))
        return subprocess.CompletedProcess(list(argv), 0, "", "")

    without(monkeypatch, "debootstrap", "ssh", "ssh-keygen")
    monkeypatch.setattr(machine, "run", fake_run)
    machine.install_needed(Progress())
    assert [argv for argv in ran if "install" in argv] == [
        ["apt-get", "install", "-y", "--no-install-recommends", "debootstrap", "openssh-client"]
    ]
    assert "installing debootstrap, openssh-client on this machine with apt-get ... " in capsys.readouterr().err


def test_no_apt_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "debootstrap", "apt-get")
    with pytest.raises(LabError, match="no apt-get to install debootstrap"):
        machine.install_needed(Progress(quiet=True))


def test_a_kernel_that_refuses_namespaces_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        machine, "run", lambda argv, **_: subprocess.CompletedProcess(list(argv), 1, "", "not permitted")
    )
    with pytest.raises(LabError, match="may not make namespaces here"):
        machine.check_kernel()


def test_a_kernel_without_ipv6_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "run", lambda argv, **_: subprocess.CompletedProcess(list(argv), 0, "", ""))
    monkeypatch.setattr(machine, "IPV6_SETTINGS", tmp_path / "missing")
    with pytest.raises(LabError, match="needs a kernel with IPv6"):
        machine.check_kernel()

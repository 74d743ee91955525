"""The table of distributions as a script gets it on a host; what real systems say of themselves is in recorded/."""

import re
import subprocess
from pathlib import Path

import pytest

from hosts.packages.manager import PACKAGES
from hosts.system.distro import DISTRO, FAMILIES, SUPPORTED, UNSUPPORTED
from tests.unit.recorded import case

ROCKY = case("systems", "fedora", "rocky 9.4")["os-release"]


def on(root: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run `DISTRO` and `body` as on a host whose files are in `root`."""
    env = {"distro_root": str(root), "PATH": "/usr/bin:/bin"}
    return subprocess.run(["sh", "-euc", DISTRO + body], env=env, text=True, capture_output=True, check=False)


def system(tmp_path: Path, file: str, text: str) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / file).write_text(text)
    return tmp_path


def test_a_host_that_says_nothing_of_itself_is_no_supported_one(tmp_path: Path) -> None:
    done = on(tmp_path, "known_distro; echo went on")
    assert (done.returncode, done.stdout) == (UNSUPPORTED, "")
    assert "it is linux" in done.stderr


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_row_of_the_table_is_what_a_script_gets(tmp_path: Path, family: object) -> None:
    row = next(one for one in FAMILIES if one is family)
    name, _, major = row.releases[0].partition(":")
    one = re.sub(r"\[(.)-.\]", r"\1", major).strip("*")
    release = system(tmp_path, "os-release", f"ID={name}\nVERSION_ID={one}\n")
    names = ["family", "pkg_manager", "admin_groups", "boot_v4", "boot_v6", "unit_v4", "unit_v6", "updater"]
    names.append("updater_file")
    told = on(release, "known_distro\n" + "\n".join(f'echo "${name}"' for name in names)).stdout.splitlines()
    assert told == [
        row.name,
        row.manager,
        " ".join(row.admin_groups),
        *row.boot,
        *row.boot_units,
        row.updater,
        row.updater_file,
    ]


def test_packages_have_the_names_that_they_have_there(tmp_path: Path) -> None:
    names = "sudo iptables iptables-persistent fail2ban unattended-upgrades exim4-base exim4 exim4-daemon-light"
    script = f"real_names {names}; echo $named; echo $nameless; why_nameless $nameless; known_distro"
    arch = on(system(tmp_path, "arch-release", ""), script)
    assert arch.stdout.splitlines() == ["sudo iptables fail2ban exim", "unattended-upgrades exim4-base"]
    assert "Arch supports no unattended updates" in arch.stderr
    assert "arch has no package for exim4-base" in arch.stderr


def test_why_a_release_is_not_supported_is_told(tmp_path: Path) -> None:
    done = on(system(tmp_path, "os-release", "ID=ubuntu\nVERSION_ID=12.04\n"), "known_distro")
    assert (done.returncode, done.stderr) == (
        UNSUPPORTED,
        "it is ubuntu 12.04: Ubuntu before 15.04 has Upstart, whose jobs (sshd is one) Stockade does not know\n",
    )


@pytest.mark.parametrize(
    ("release", "systemd", "supported"),
    [
        ("ID=linuxmint\nID_LIKE=ubuntu\nVERSION_ID=17\n", False, False),
        ("ID=debian\nVERSION_ID=7\n", False, False),
        ("ID=ubuntu\nVERSION_ID=15.10\n", True, True),  # the package may be there beside systemd
        ("ID=ubuntu\nVERSION_ID=15.04\n", False, False),  # and be chosen at boot
        ("ID=centos\nVERSION_ID=6\n", False, True),
    ],
)
def test_upstart_is_not_supported_where_services_are_its_jobs(
    tmp_path: Path, release: str, systemd: bool, supported: bool
) -> None:
    root = system(tmp_path, "os-release", release)
    (root / "sbin").mkdir()
    (root / "sbin/initctl").touch(0o755)
    if systemd:
        (root / "run/systemd/system").mkdir(parents=True)
    done = on(root, "known_distro")
    assert done.returncode == (0 if supported else UNSUPPORTED), done.stderr
    assert supported or "its init is Upstart" in done.stderr


RPM_AND_DNF = """\
rpm() { [ "$*" = "-q $installed" ]; }
dnf() { printf '%s\\n' $to_be_had; }
"""


@pytest.mark.parametrize(
    ("installed", "to_be_had", "name"),
    [
        ("", "iptables-services", "iptables-services"),
        ("", "iptables-nft-services", "iptables-nft-services"),
        ("", "iptables-nft-services iptables-services", "iptables-services"),
        ("iptables-nft-services", "iptables-services", "iptables-nft-services"),
        ("", "", "iptables-services"),
    ],
)
def test_a_package_with_two_names_is_the_one_that_is_there(
    tmp_path: Path, installed: str, to_be_had: str, name: str
) -> None:
    script = f"{PACKAGES}installed={installed!r} to_be_had={to_be_had!r}\n{RPM_AND_DNF}"
    done = on(system(tmp_path, "os-release", ROCKY), f"{script}real_names iptables-persistent; echo $named")
    assert done.stdout == f"{name}\n", done.stderr


def test_what_is_supported_is_named() -> None:
    assert set(SUPPORTED) == {family.name for family in FAMILIES}

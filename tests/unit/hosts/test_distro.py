"""What real systems say of themselves, read by the sh that a host runs, and the row of the table that fits."""

import re
import subprocess
from pathlib import Path

import pytest

from hosts.packages.manager import PACKAGES
from hosts.system.distro import DISTRO, FAMILIES, SUPPORTED, UNSUPPORTED

ROCKY = """\
NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
"""
CENTOS_7 = 'NAME="CentOS Linux"\nVERSION="7 (Core)"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\n'
FEDORA = "NAME=\"Fedora Linux\"\nVERSION='40 (Server Edition)'\nID=fedora\nVERSION_ID=40\n"

SYSTEMS = {
    "debian 12": ("os-release", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n', "debian"),
    "ubuntu 24.04": ("os-release", 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', "debian"),
    "linuxmint 22": ("os-release", "ID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_ID=22\n", "debian"),
    "rocky 9.4": ("os-release", ROCKY, "fedora"),
    "almalinux 10.0": ("os-release", 'ID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.0"\n', "fedora"),
    "centos 9": ("os-release", 'ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="9"\n', "fedora"),
    "fedora 40": ("os-release", FEDORA, "fedora"),
    "fedora 41": ("os-release", "ID=fedora\nVERSION_ID=41\n", "fedora41"),
    "fedora 44": ("os-release", "ID=fedora\nVERSION_ID=44\n", "fedora41"),
    "nobara 43": ("os-release", "ID=nobara\nID_LIKE='rhel centos fedora'\nVERSION_ID=43\n", "fedora41"),
    "arch": ("os-release", "# comment\nID=arch\nBUILD_ID=rolling\n", "arch"),
    "manjaro": ("os-release", "ID=manjaro\nID_LIKE=arch\n", "arch"),
    "centos 7": ("os-release", CENTOS_7, "centos7"),
    "opensuse-leap 15.6": ("os-release", 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.6"\n', ""),
    "weird": ("os-release", "ID=weird\nHOME=$NOWHERE\n", ""),
    "linux": ("os-release", "ID=weird\nNAME='unfinished\n", ""),
    "centos 6.10": ("redhat-release", "CentOS release 6.10 (Final)\n", "centos6"),
    "fedora 19": ("redhat-release", "Fedora release 19 (Schrödinger)\n", "centos7"),
    "rhel 6.9": ("redhat-release", "Red Hat Enterprise Linux Server release 6.9 (Santiago)\n", "centos6"),
    "fedora 14": ("redhat-release", "Fedora release 14 (Laughlin)\n", "centos6"),
    "linuxmint 6": ("os-release", "ID=linuxmint\nID_LIKE=debian\nVERSION_ID=6\n", "debian"),  # its own number
    "ubuntu 15.04": ("os-release", 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="15.04"\n', "debian"),
    "ubuntu 15.10": ("os-release", 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="15.10"\n', "debian"),
    "ubuntu 14.10": ("os-release", 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="14.10"\n', ""),
    "ubuntu 14.04": ("os-release", 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="14.04"\n', ""),
    "arch ": ("arch-release", "", "arch"),
    "debian 6": ("debian_version", "6.0.10\n", ""),
    "debian 7": ("os-release", 'PRETTY_NAME="Debian GNU/Linux 7 (wheezy)"\nVERSION_ID="7"\nID=debian\n', "debian7"),
    "debian 8": ("os-release", 'PRETTY_NAME="Debian GNU/Linux 8 (jessie)"\nVERSION_ID="8"\nID=debian\n', "debian"),
    "linuxmint 7": ("os-release", "ID=linuxmint\nID_LIKE=debian\nVERSION_ID=7\n", "debian"),
}


def on(root: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run `DISTRO` and `body` as on a host whose files are in `root`."""
    env = {"distro_root": str(root), "PATH": "/usr/bin:/bin"}
    return subprocess.run(["sh", "-euc", DISTRO + body], env=env, text=True, capture_output=True, check=False)


def system(tmp_path: Path, file: str, text: str) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / file).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", SYSTEMS)
def test_recognised(tmp_path: Path, name: str) -> None:
    file, text, family = SYSTEMS[name]
    done = on(system(tmp_path, file, text), 'echo "$distro $distro_version|$family"')
    assert done.stdout.strip() == f"{name.strip()}{' ' if ' ' not in name.strip() else ''}|{family}", done.stderr


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

"""The table of distributions as scripts see it on a host; the identification of real systems is in recorded/."""

import pytest

from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.system.distro import SUPPORTED, UNSUPPORTED
from tests.shell_room import Stage
from tests.unit.recorded import case

ROCKY = case("systems", "fedora", "rocky 9.4")["os-release"]


def on(stage: Stage, body: str, file: str = "hosts/system/distro.sh", **values: str) -> Answer:
    """Run `body` after the functions."""
    return stage.one(Script("look", script(file) + body, values))


def test_a_host_that_says_nothing_of_itself_is_no_supported_one(stage: Stage) -> None:
    done = on(stage, "known_distro; echo went on")
    assert (done.status, done.stdout) == (UNSUPPORTED, "")
    assert "it is linux" in done.stderr


APT = "apt|sudo wheel|/etc/iptables/rules.v4|/etc/iptables/rules.v6"
RED_HAT = "wheel sudo|/etc/sysconfig/iptables|/etc/sysconfig/ip6tables|iptables|ip6tables"
UNATTENDED = "unattended-upgrades|/etc/apt/apt.conf.d/99stockade-updates"
FACTS = {
    "debian:7": f"debian7|{APT}|iptables-persistent|iptables-persistent|{UNATTENDED}",
    "ubuntu:22.04": f"debian|{APT}|netfilter-persistent|netfilter-persistent|{UNATTENDED}",
    "fedora:39": f"fedora|dnf|{RED_HAT}|dnf-automatic|/etc/dnf/automatic.conf",
    "fedora:22": f"fedora|dnf|{RED_HAT}|dnf-automatic|/etc/dnf/automatic.conf",
    "rhel:8.10": f"fedora|dnf|{RED_HAT}|dnf-automatic|/etc/dnf/automatic.conf",
    "rhel:9.4": f"fedora|dnf|{RED_HAT}|dnf-automatic|/etc/dnf/automatic.conf",
    "rhel:10.0": f"fedora|dnf|{RED_HAT}|dnf-automatic|/etc/dnf/automatic.conf",
    "centos:8": f"fedora|dnf|{RED_HAT}|dnf-automatic|/etc/dnf/automatic.conf",
    "centos:10": f"fedora|dnf|{RED_HAT}|dnf-automatic|/etc/dnf/automatic.conf",
    "fedora:41": f"fedora41|dnf|{RED_HAT}|dnf5-automatic|/etc/dnf/automatic.conf",
    "fedora:50": f"fedora41|dnf|{RED_HAT}|dnf5-automatic|/etc/dnf/automatic.conf",
    "rhel:7.9": f"centos7|yum|{RED_HAT}|yum-cron|/etc/yum/yum-cron.conf",
    "fedora:18": f"centos7|yum|{RED_HAT}|yum-cron|/etc/yum/yum-cron.conf",
    "fedora:21": f"centos7|yum|{RED_HAT}|yum-cron|/etc/yum/yum-cron.conf",
    "rhel:6.9": f"centos6|yum|{RED_HAT}|yum-cron|/etc/sysconfig/yum-cron",
    "fedora:17": f"centos6|yum|{RED_HAT}|yum-cron|/etc/sysconfig/yum-cron",
    "arch:": "arch|pacman|wheel sudo|/etc/iptables/iptables.rules|/etc/iptables/ip6tables.rules|iptables|ip6tables||",
    "opensuse-leap:15.6": "opensuse|zypper|wheel sudo||||||",
    "opensuse-tumbleweed:20261120": "opensuse|zypper|wheel sudo||||||",
    "opensuse-leap:42.3": "||||||||",
}


@pytest.mark.parametrize("release", FACTS)
def test_what_differs_between_families_is_what_a_script_gets(stage: Stage, release: str) -> None:
    name, _, version = release.partition(":")
    stage.write("/etc/os-release", f"ID={name}\nVERSION_ID={version}\n")
    names = "family pkg_manager admin_groups boot_v4 boot_v6 unit_v4 unit_v6 updater updater_file"
    done = on(stage, 'set -- "' + '" "'.join(f"${name}" for name in names.split()) + '"; IFS="|"; echo "$*"')
    assert done.stdout == f"{FACTS[release]}\n", done.stderr
    assert {line.partition("|")[0] for line in FACTS.values()} == {*SUPPORTED, ""}


NAMES = (
    "exim4 exim4-base fail2ban netfilter-persistent unattended-upgrades nfs-common cron netcat-openbsd python3-systemd"
)
REAL = {
    "debian:7": "exim4 exim4-base fail2ban iptables-persistent unattended-upgrades nfs-common cron netcat-openbsd",
    "debian:12": NAMES,
    "fedora:40": "exim fail2ban-server iptables-services dnf-automatic nfs-utils cronie netcat python3-systemd",
    "fedora:41": "exim fail2ban-server iptables-services dnf5-plugin-automatic nfs-utils cronie netcat python3-systemd",
    "centos:7": "exim fail2ban-server iptables-services yum-cron nfs-utils cronie nc systemd-python",
    "centos:6": "exim fail2ban iptables-ipv6 yum-cron nfs-utils cronie nc",
    "arch:": "exim fail2ban iptables nfs-utils cronie netcat-openbsd python-systemd",
    "opensuse-leap:15.6": "exim fail2ban nfs-client cronie netcat-openbsd python3-systemd",
}


@pytest.mark.parametrize("release", REAL)
def test_packages_of_a_family_have_their_own_names(stage: Stage, release: str) -> None:
    name, _, version = release.partition(":")
    stage.write("/etc/os-release", f"ID={name}\nVERSION_ID={version}\n")
    assert on(stage, f"real_names {NAMES}; echo $named").stdout == f"{REAL[release]}\n"


def test_packages_have_the_names_that_they_have_there(stage: Stage) -> None:
    names = "sudo iptables iptables-persistent fail2ban unattended-upgrades exim4-base exim4 exim4-daemon-light"
    stage.write("/etc/arch-release")
    body = f"real_names {names}; echo $named; echo $nameless; why_nameless $nameless; known_distro"
    arch = on(stage, body)
    assert arch.stdout.splitlines() == ["sudo iptables fail2ban exim", "unattended-upgrades exim4-base"]
    assert "Arch supports no unattended updates" in arch.stderr
    assert "arch has no package for exim4-base" in arch.stderr


def test_what_opensuse_has_no_package_for_is_told(stage: Stage) -> None:
    stage.write("/etc/os-release", "ID=opensuse-leap\nVERSION_ID=15.6\n")
    suse = on(stage, "real_names iptables-persistent unattended-upgrades; echo $named; why_nameless $nameless")
    assert suse.stdout == "\n"
    assert "no package that loads the rules of iptables at boot" in suse.stderr
    assert "leave `updates` out" in suse.stderr


def test_why_a_release_is_not_supported_is_told(stage: Stage) -> None:
    stage.write("/etc/os-release", "ID=ubuntu\nVERSION_ID=12.04\n")
    done = on(stage, "known_distro")
    assert (done.status, done.stderr) == (
        UNSUPPORTED,
        "it is ubuntu 12.04: Ubuntu before 15.04 has Upstart, whose jobs (sshd is one) Stockade does not know\n",
    )


@pytest.mark.parametrize(
    ("release", "systemd", "supported"),
    [
        ("ID=linuxmint\nID_LIKE=ubuntu\nVERSION_ID=17\n", False, False),
        ("ID=debian\nVERSION_ID=7\n", False, False),
        ("ID=ubuntu\nVERSION_ID=15.10\n", True, True),  # the upstart package may be installed beside systemd
        ("ID=ubuntu\nVERSION_ID=15.04\n", False, False),  # and may be chosen at boot
        ("ID=centos\nVERSION_ID=6\n", False, True),
    ],
)
def test_upstart_is_not_supported_where_services_are_its_jobs(
    stage: Stage, release: str, systemd: bool, supported: bool
) -> None:
    stage.write("/etc/os-release", release)
    stage.program("/sbin/initctl")
    if systemd:
        stage.systemd()
    done = on(stage, "known_distro")
    assert done.status == (0 if supported else UNSUPPORTED), done.stderr
    assert supported or "its init is Upstart" in done.stderr


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
    stage: Stage, installed: str, to_be_had: str, name: str
) -> None:
    stage.write("/etc/os-release", ROCKY)
    stage.program("rpm", f'[ "$*" = "-q {installed}" ]')
    stage.program("dnf", f"printf '%s\\n' {to_be_had}")
    done = on(stage, "real_names iptables-persistent; echo $named", "hosts/packages/manager.sh")
    assert done.stdout == f"{name}\n", done.stderr


def test_a_release_of_the_distributions_own_comes_first(stage: Stage) -> None:
    stage.write("/usr/lib/os-release", "ID=debian\nVERSION_ID=12\n")
    stage.write("/etc/os-release", "ID=fedora\nVERSION_ID=40\n")
    assert on(stage, 'echo "$distro"').stdout == "fedora\n"
    stage.path("/etc/os-release").unlink()
    assert on(stage, 'echo "$distro"').stdout == "debian\n"

"""The real dnf 5, on `fedora41`: its lock, the leftovers of a killed dnf, and its automatic updates."""

from collections.abc import Callable, Iterator

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry, up_if_to_be_had
from tests.lab.packages import test_packages, test_updates
from tests.lab.stack import Stack

pytestmark = pytest.mark.usefixtures("pristine")

# $1 name, $2 version: a package in the repository whose script waits while /srv/hold exists
PROBE = """
mkdir -p /srv/made && cd /srv/made
cat >"$1.spec" <<END
Name: $1
Version: $2
Release: 1
Summary: probe
License: none
BuildArch: noarch
%description
probe
%post
[ ! -e /srv/hold ] || touch /srv/held
for i in \\$(seq 600); do [ -e /srv/hold ] || exit 0; sleep 0.1; done
%files
END
rpmbuild -bb --quiet --define '_topdir /srv/made' --define '_rpmdir /srv/rpm' \\
    --define '_build_name_fmt %%{NAME}-%%{VERSION}.rpm' "$1.spec"
createrepo_c -q /srv/rpm
dnf -q makecache --refresh
"""
ADVISORY = """
cat >/srv/made/updateinfo.xml <<END
<updates><update status="final" type="security" version="1"><id>PROBE-1</id><title>probe</title>
<issued date="2026-01-01 00:00:00"/><severity>Important</severity><pkglist><collection><name>probe</name>
<package name="$1" version="$2" release="1" epoch="0" arch="noarch"><filename>$1-$2.rpm</filename></package>
</collection></pkglist></update></updates>
END
modifyrepo_c --mdtype=updateinfo /srv/made/updateinfo.xml /srv/rpm/repodata
dnf -q makecache --refresh
"""
STATE = "rpm -qa | sort; dnf -q repoquery --qf '%{name}\\n' --userinstalled | sort"
HELD = "for i in $(seq 200); do [ ! -e /srv/held ] || exit 0; sleep 0.1; done; exit 1"


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[LabHost]:
    host = up_if_to_be_had(lab, "real-dnf5", "fedora41")
    if host is None:
        pytest.skip("the packages of fedora41 cannot be downloaded now: they are of a Debian that is not out yet")
    yield host
    lab.down([host.name])


@pytest.fixture
def stack(new_stack: Callable[..., Stack], host: LabHost) -> Stack:
    return new_stack(host, program=test_packages.PROGRAM)


def make(host: LabHost, name: str, version: str, script: str = PROBE) -> None:
    host.exec(["sh", "-euc", script, "sh", name, version])


def versions(host: LabHost, name: str) -> list[str]:
    return host.exec(f"rpm -q --qf '%{{VERSION}}\\n' {name}", check=False).stdout.splitlines()


def test_another_dnf_is_waited_for_but_not_for_ever(host: LabHost, stack: Stack) -> None:
    make(host, "probe", "1")
    host.exec(f"touch /srv/hold; systemd-run -q --unit=other dnf -y install probe; {HELD}")
    test_packages.declare(stack, host, present=["net-tools"], lockTimeout=2)
    late = stack.up(check=False)
    assert late.status != 0
    assert "another package manager was running on the host for more than 2 seconds" in late
    test_packages.declare(stack, host, present=["net-tools"], lockTimeout=60)
    with stack.running() as up:
        host.exec("for i in $(seq 200); do ! pgrep -fx 'sleep 2' >/dev/null || exit 0; sleep 0.1; done; exit 1")
        assert up.process.poll() is None
        assert versions(host, "net-tools") == ["package net-tools is not installed"]
        host.exec("rm /srv/hold")
        status, output = up.end(60)
    assert status == 0, output
    assert versions(host, "net-tools") == ["2.0"]
    assert versions(host, "probe") == ["1"]


def test_two_versions_that_a_killed_dnf_left_are_one_again(host: LabHost, stack: Stack) -> None:
    make(host, "probe", "1")
    host.exec("dnf -y -q install probe")
    make(host, "probe", "2")
    host.exec(f"touch /srv/hold; systemd-run -q --unit=other dnf -y upgrade probe; {HELD}")
    host.exec("systemctl kill -s KILL other; rm /srv/hold")
    assert versions(host, "probe") == ["1", "2"]
    test_packages.declare(stack, host, present=["net-tools"])
    stack.up()
    assert versions(host, "probe") == ["2"]
    stack.unchanged()


def test_a_run_whose_dnf_was_killed_is_continued(host: LabHost, stack: Stack) -> None:
    make(host, "probe", "1")
    before = host.exec(STATE).stdout
    host.exec("touch /srv/hold")
    test_packages.declare(stack, host, present=["probe"], absent=["rpcbind"])
    with stack.running() as up:
        host.exec(HELD)
        host.exec("kill -KILL $(pgrep -x dnf); rm /srv/hold")
        status, output = up.end(60)
    assert status != 0, output
    stack.up()
    assert versions(host, "probe") == ["1"]
    assert "rpcbind" not in host.exec(STATE).stdout
    stack.unchanged()
    stack.destroy()
    assert host.exec(STATE).stdout == before


def test_only_security_updates_are_installed_by_themselves(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    for name in ("safer", "newer"):
        make(host, name, "1")
    host.exec("dnf -y -q install safer newer")
    for name in ("safer", "newer"):
        make(host, name, "2")
    make(host, "safer", "2", ADVISORY)
    stack = new_stack(host, program=test_updates.PROGRAM)
    stack.configure(hosts={host.name: entry(host)}, updates={})
    stack.up()
    host.exec("systemctl start dnf5-automatic.service")
    assert (versions(host, "safer"), versions(host, "newer")) == (["2"], ["1"])
    stack.unchanged()
    stack.destroy()
    assert host.exec("ls /etc/dnf/automatic.conf", check=False).stdout == ""
    assert host.exec("systemctl is-enabled dnf5-automatic.timer", check=False).stdout.strip() == "not-found"

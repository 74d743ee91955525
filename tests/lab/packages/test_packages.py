"""Packages installed and removed in one transaction on a lab host, and everything of theirs restored."""

from collections.abc import Callable
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Stack

pytestmark = pytest.mark.usefixtures("pristine")

PROGRAM = """
import json, pulumi
from components.config.inventory import connection_props, connections
from components.packages.resource import Packages
config = pulumi.Config("stockade")
(way,) = connections(config.require_object("hosts"), None).values()
Packages("p", {"host": way.name, "connection": connection_props(way), **json.loads(config.require("packages"))})
"""

BEFORE = "export DEBIAN_FRONTEND=noninteractive; apt-get install -y --no-install-recommends {} </dev/null"
MAIL = ["exim4-base", "exim4-config", "exim4-daemon-light"]


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("pkg1")


@pytest.fixture
def stack(new_stack: Callable[..., Stack], host: LabHost) -> Stack:
    return new_stack(host, program=PROGRAM)


def declare(stack: Stack, host: LabHost, **packages: object) -> None:
    stack.configure(hosts={host.name: entry(host)}, packages=packages)


def etc(host: LabHost) -> str:
    """Everything below /etc: kind, mode, owner, target or checksum; without what every installation rewrites."""
    return host.exec(
        "cd /etc; find . -not -path './ld.so.cache' -not -name 'passwd*' -not -name 'shadow*' -not -name 'group*' "
        "-not -name 'gshadow*' -not -name 'sub?id*' -not -name .pwd.lock | sort | while read -r p; do "
        'stat -c "%n %F %a %U %G" "$p"; if [ -L "$p" ]; then readlink "$p"; elif [ -f "$p" ]; then cksum <"$p"; fi; '
        "done"
    ).stdout


def installed(host: LabHost) -> str:
    return host.exec("dpkg -l | awk '/^[hi]i|^rc/ {print $1, $2, $3}'; apt-mark showauto | sort").stdout


def listening(host: LabHost) -> set[int]:
    ports = host.exec("ss -tuln | awk 'NR > 1 {print $5}' | sed 's/.*://'").stdout
    return {int(port) for port in ports.split()}


def services(host: LabHost) -> str:
    units = "exim4 rpcbind.service rpcbind.socket exim4-base.timer"
    return host.exec(f"for u in {units}; do systemctl is-enabled $u; systemctl is-active $u; done", check=False).stdout


def fresh_server(host: LabHost) -> None:
    """Mail and RPC as on a fresh server, with their configuration edited by an administrator."""
    host.exec(BEFORE.format("rpcbind exim4-daemon-light bsd-mailx"))
    host.exec(
        "cd /etc/exim4; echo '# mine' >>exim4.conf.template; echo extra >extra; chmod 600 extra;"
        "sed -i \"s/configtype='.*'/configtype='internet'/\" update-exim4.conf.conf;"
        "chown daemon:mail passwd.client; chmod 4640 passwd.client;"
        "rm conf.d/acl/20_exim4-config_local_deny_exceptions;"
        "echo 'OPTIONS=\"-w -h 127.0.0.1\"' >/etc/default/rpcbind;"
        "systemctl -q disable exim4-base.timer; systemctl stop exim4;"
        "echo 'exim4-config exim4/dc_relay_nets string 192.0.2.0/24' | debconf-set-selections"
    )


def test_what_comes_and_what_goes_and_everything_given_back(host: LabHost, stack: Stack) -> None:
    fresh_server(host)
    before = etc(host), installed(host), services(host)
    assert {22, 111} <= listening(host)
    declare(stack, host, present=["iptables-persistent", "net-tools"], absent=[*MAIL, "rpcbind", "nfs-common"])
    stack.up()
    assert listening(host) == {22}
    packages = host.exec("dpkg -l").stdout
    assert "exim4" not in packages
    assert "rpcbind" not in packages
    assert "bsd-mailx" not in packages  # it needs a mail server, and no other one is installed
    assert "iptables-persistent" in packages
    kept = host.exec("find /var/lib/stockade -printf '%M %u %p\\n'").stdout
    assert not [line for line in kept.splitlines() if line.split()[0][4:] != "------" and "packages/host" in line]
    assert "etc.tar" in kept
    assert "passwd" not in host.exec("tar -tf /var/lib/stockade/packages/host/etc.tar | grep -v ^etc/exim4/").stdout
    observed = next(item for item in stack.state() if item["type"].endswith(":Packages"))["outputs"]["observed"]
    assert {row.split("=")[0] for row in observed["removed"]} >= {*MAIL, "rpcbind", "bsd-mailx"}
    assert observed["ours"] == ["iptables-persistent", "net-tools"]
    stack.unchanged()

    # one is back, one is gone
    host.exec(BEFORE.format("rpcbind"))
    host.exec("apt-get purge -y net-tools")
    stack.refresh()
    diff = stack.preview(check=False).output
    assert "rpcbind" in diff
    assert "net-tools" in diff
    stack.up()
    assert listening(host) == {22}
    assert "net-tools" in host.exec("dpkg -l").stdout
    stack.refresh()
    stack.unchanged()

    stack.destroy()
    assert etc(host) == before[0]
    assert installed(host) == before[1]
    assert services(host) == before[2]
    assert "* exim4/dc_relay_nets: 192.0.2.0/24" in host.exec("debconf-show exim4-config").stdout
    assert host.exec("ls -d /var/lib/stockade /usr/sbin/policy-rc.d", check=False).stdout == ""


def test_what_is_no_longer_declared_is_as_it_was(host: LabHost, stack: Stack) -> None:
    fresh_server(host)
    before = etc(host), installed(host), services(host)
    declare(stack, host, present=["net-tools"], absent=[*MAIL, "rpcbind"])
    stack.up()
    declare(stack, host, present=["iptables-persistent"], absent=MAIL)
    stack.up()
    assert listening(host) >= {22, 111}
    assert host.exec("cat /etc/default/rpcbind").stdout == 'OPTIONS="-w -h 127.0.0.1"\n'
    assert host.exec("systemctl is-enabled rpcbind.socket").stdout == "enabled\n"
    packages = host.exec("dpkg -l").stdout
    assert "net-tools" not in packages
    assert "iptables-persistent" in packages
    assert "exim4" not in packages
    assert "bsd-mailx" not in packages
    host.exec("echo 'OPTIONS=\"-w\"' >/etc/default/rpcbind")  # not managed any more
    stack.destroy()
    host.exec("echo 'OPTIONS=\"-w -h 127.0.0.1\"' >/etc/default/rpcbind")
    assert etc(host) == before[0]
    assert installed(host) == before[1]
    assert services(host) == before[2]


def test_a_removal_that_would_take_the_way_in_is_refused(host: LabHost, stack: Stack) -> None:
    before = installed(host)
    declare(stack, host, absent=["openssh-server"])
    assert "never removed" in stack.preview(check=False)
    declare(stack, host, present=["net-tools"], absent=["openssh-client", "libdbus-1-3"])
    refused = stack.up(check=False)
    assert refused.status != 0
    assert "openssh-server" in refused
    assert "nothing was changed" in refused
    assert "Traceback" not in refused
    assert installed(host) == before
    host.exec(BEFORE.format("ufw") + "; ufw allow 22/tcp; ufw --force enable")
    before = installed(host)
    declare(stack, host, present=["iptables-persistent"])
    refused = stack.up(check=False)
    assert "removed, too: ufw" in refused
    assert "set `takeOver: true` under `stockade:firewall`" in refused
    assert "leave the firewall to it" in refused
    assert installed(host) == before
    declare(stack, host, present=["iptables-persistent"], takeOver=True)
    rules = host.iptables_save(4).count("\n-A ufw-")
    stack.up()
    assert "ufw" not in installed(host)
    assert host.iptables_save(4).count("\n-A ufw-") == rules > 0  # in force until a Ruleset replaces them
    stack.destroy()
    assert installed(host) == before
    assert "Status: active" in host.exec("ufw status").stdout


def observed(stack: Stack) -> dict[str, Any]:
    facts: dict[str, Any] = next(i for i in stack.state() if i["type"].endswith(":Packages"))["outputs"]["observed"]
    return facts


def test_names_that_stand_for_others_and_packages_on_hold(host: LabHost, stack: Stack) -> None:
    fresh_server(host)
    host.exec("apt-mark hold rpcbind; systemctl start exim4")
    before = etc(host), installed(host), services(host)
    for wanted in ({"absent": ["rpcbind"]}, {"absent": ["libtirpc3"], "present": ["net-tools"]}):
        declare(stack, host, **wanted)
        refused = stack.up(check=False)
        assert "nothing was changed" in refused
        assert "HoldPkg in pacman.conf): rpcbind\n" in refused, refused.output
        assert installed(host) == before[1]
    # exim4 is a metapackage and not installed; two packages provide mailx, an installed one provides netcat
    declare(stack, host, absent=["exim4"], present=["netcat"])
    stack.up()
    assert 25 not in listening(host)
    assert "exim4" not in installed(host)
    seen = observed(stack)
    gone = {row.partition("=")[0] for row in seen["removed"]}
    assert {name for name in gone if not name.startswith("lib")} == {*MAIL, "bsd-mailx"}
    assert list(seen["installed"]) == ["netcat"]
    assert seen["ours"] == []
    stack.refresh()
    stack.unchanged()
    # nothing shows any more what the name stood for; if it comes back, that is drift
    declare(stack, host, absent=["exim4"], present=["net-tools"])
    stack.up()
    assert "exim4" not in installed(host)
    host.exec(BEFORE.format("exim4-daemon-light"))
    stack.refresh()
    assert "exim4" in stack.preview(check=False)
    # a virtual package, which the removed one also provides
    declare(stack, host, absent=["mail-transport-agent"])
    stack.up()
    assert 25 not in listening(host)
    assert "exim4-base" in installed(host)
    assert "exim4-daemon-light" not in installed(host)
    stack.unchanged()
    stack.destroy()
    assert etc(host) == before[0]
    assert installed(host) == before[1]
    assert services(host) == before[2]


HOLD = (
    "use Fcntl; open F, q(>>), q({}); my $p = pack(q(s s l! l! i), F_WRLCK, 0, 0, 0, 0);"
    "fcntl(F, F_SETLKW, $p); $| = 1; open R, q(>), q(/run/held); close R; sleep 300"
)


@pytest.mark.parametrize("lock", ["/var/lib/dpkg/lock-frontend", "/var/cache/apt/archives/lock"])
def test_another_package_manager_is_waited_for_but_not_for_ever(host: LabHost, stack: Stack, lock: str) -> None:
    host.exec(["systemd-run", "-q", "--unit=holder", "perl", "-e", HOLD.format(lock)])
    host.exec("for i in $(seq 50); do [ ! -e /run/held ] || exit 0; sleep 0.1; done; exit 1")
    declare(stack, host, present=["net-tools"], lockTimeout=2)
    late = stack.up(check=False)
    assert late.status != 0
    assert "another package manager was running on the host for more than 2 seconds" in late
    assert "net-tools" not in installed(host)
    declare(stack, host, present=["net-tools"], lockTimeout=60)
    with stack.running() as up:
        host.exec("for i in $(seq 900); do pgrep -x apt-get >/dev/null && exit 0; sleep 0.1; done; exit 1")
        assert up.process.poll() is None
        host.exec("systemctl stop holder")
        status, output = up.end(60)
    assert status == 0, output
    assert "net-tools" in installed(host)


@pytest.mark.parametrize("power_cut", [False, True])
def test_a_killed_run_is_continued(host: LabHost, stack: Stack, power_cut: bool) -> None:
    fresh_server(host)
    before = etc(host), installed(host), services(host)
    declare(stack, host, present=["iptables-persistent"], absent=[*MAIL, "rpcbind"])
    cut = power_cut_in if power_cut else killed_during
    cut(host, stack, "up", "exim4-base.prerm")
    stack.up()
    assert listening(host) == {22}
    assert "iptables-persistent" in installed(host)
    cut(host, stack, "destroy", "iptables-persistent.prerm")
    stack.destroy()
    assert etc(host) == before[0]
    assert installed(host) == before[1]
    assert services(host) == before[2]
    assert host.exec("ls -d /var/lib/stockade /usr/sbin/policy-rc.d", check=False).stdout == ""


def killed_during(host: LabHost, stack: Stack, command: str, _script: str) -> None:
    """Start `command`; while dpkg works, kill the engine and everything that it started."""
    with stack.running(command) as engine:
        host.exec(
            "for i in $(seq 4000); do pgrep -f '[d]pkg .*--status-fd' >/dev/null && exit 0; sleep 0.03; done; exit 1"
        )
        engine.kill()
    # the script on the host finishes
    host.exec("for i in $(seq 600); do pgrep -f '^sshd: root@notty' >/dev/null || exit 0; sleep 0.1; done; exit 1")


def power_cut_in(host: LabHost, stack: Stack, command: str, script: str) -> None:
    """Start `command`; when dpkg runs that script of a package, kill the engine and cut the host's power."""
    file = f"/var/lib/dpkg/info/{script}"
    host.exec(f"mkfifo /run/reached; sed -i '1a echo here >/run/reached; sleep 1000' {file}")
    with stack.running(command) as engine:
        assert host.exec("timeout 120 head -n 1 <>/run/reached").stdout == "here\n"
        engine.kill()
    host.reboot(hard=True)
    host.exec(f"sed -i '/run.reached/d' {file}")

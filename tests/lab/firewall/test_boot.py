"""If rules cannot be loaded at boot, a host is closed except for the way in. Tests break it before a reboot."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.distributions import snapshot
from tests.lab.outside import listen, pings, probe_ports
from tests.lab.stack import Stack

OPEN = {22: "open", 80: "open", 443: "open", 8080: "refused"}
AGAIN = "systemctl is-active stockade-firewall-again | grep -q inactive"
LOOKED = f"for i in $(seq 100); do ! {AGAIN} || exit 0; sleep 0.1; done; exit 1"
INSTALL_IPSET = "DEBIAN_FRONTEND=noninteractive apt-get install -qy ipset </dev/null"
SINCE = "because the declared rules are not in force:"
UNIT = "[Unit]\n{order}\n[Service]\nType=oneshot\nExecStart=/bin/sh -c '{command}'\n"
FLUSH = "for t in iptables ip6tables; do $t -F; $t -X; done"


@dataclass(frozen=True)
class Break:
    """Something that prevents the rules from being in force after a reboot, and the journal's messages by family."""

    name: str
    command: str
    ipv4: str
    ipv6: str
    mended: str = ":"


def unit(order: str, wanted: str, command: str) -> str:
    """Write a unit in which another program runs something at boot."""
    text = UNIT.format(order=order, command=command.replace("$", "$$"))
    place = "/etc/systemd/system"
    return (
        f"cat >{place}/other.service <<'END'\n{text}END\nmkdir -p {place}/{wanted}.wants\n"
        f"ln -sf {place}/other.service {place}/{wanted}.wants/other.service"
    )


NO_OTHER = "rm -f /etc/systemd/system/other.service /etc/systemd/system/*.wants/other.service; systemctl daemon-reload"
_TAKEN = "others took away what it loaded"
BREAKS = (
    Break(
        "broken files",
        "sed -i 's/^COMMIT/-A INPUT -m nowhere -j DROP\\n&/' /etc/iptables/rules.v4; : >/etc/iptables/rules.v6",
        "/etc/iptables/rules.v4 cannot be loaded: ",
        "/etc/iptables/rules.v6 has no rules",
    ),
    Break(
        "a rule before ours",  # everything declared is loaded, but the first rule accepts all
        "sed -i 's/^-A INPUT -i lo/-A INPUT -j ACCEPT\\n&/' /etc/iptables/rules.v4 /etc/iptables/rules.v6",
        "/etc/iptables/rules.v4 has a rule that is not declared: filter -A INPUT -j ACCEPT",
        "/etc/iptables/rules.v6 has a rule that is not declared: filter -A INPUT -j ACCEPT",
    ),
    Break(
        "a rule in another spelling",
        r"sed -i 's/^-A INPUT -i lo/ -j ACCEPT -A \"INPUT\"\n&/' /etc/iptables/rules.v4;"
        r"sed -i 's/^-A INPUT -i lo/\t-AINPUT -j ACCEPT\n&/' /etc/iptables/rules.v6",
        "/etc/iptables/rules.v4 has a rule that is not declared: filter -A INPUT -j ACCEPT",
        "/etc/iptables/rules.v6 has a rule that is not declared: filter -A INPUT -j ACCEPT",
    ),
    Break(
        "a carriage return",  # the journal shows what it quotes as text all the same
        r"sed -i 's/^COMMIT/-A INPUT -j DROP\r\n&/' /etc/iptables/rules.v4 /etc/iptables/rules.v6",
        "/etc/iptables/rules.v4 cannot be loaded: ",
        "/etc/iptables/rules.v6 cannot be loaded: ",
    ),
    Break(
        "another program flushes before the network is up",
        unit(
            "DefaultDependencies=no\nAfter=netfilter-persistent.service\nBefore=network-pre.target",
            "multi-user.target",
            FLUSH,
        ),
        _TAKEN,
        _TAKEN,
        mended=NO_OTHER,
    ),
    Break(
        "another program flushes when all is up",
        unit("After=ssh.service", "multi-user.target", FLUSH),
        _TAKEN,
        _TAKEN,
        mended=NO_OTHER,
    ),
    Break(
        "iptables is gone",
        "mkdir /root/kept; mv /usr/sbin/xtables-nft-multi /root/kept/",
        "iptables-restore is not there",
        "ip6tables-restore is not there",
        mended="mv /root/kept/xtables-nft-multi /usr/sbin/",
    ),
    Break(
        "an upgrade removes the loader",
        "DEBIAN_FRONTEND=noninteractive apt-get remove -qy netfilter-persistent </dev/null; rm /etc/iptables/rules.v6",
        "netfilter-persistent",
        "there is no /etc/iptables/rules.v6",
    ),
)


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("boot1")


@pytest.fixture(scope="module")
def stack(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack that declares the firewall, for all tests."""
    stack = Stack(tmp_path_factory.mktemp("boot") / "project")
    stack.configure(hosts={host.name: entry(host)}, firewall={})
    stack.up()
    return stack


def boot(host: LabHost) -> None:
    """Reboot it, and wait for the second look."""
    host.reboot()
    host.exec(LOOKED)
    listen(host, 80, 443, 8080)


@pytest.mark.parametrize("broken", [pytest.param(b, id=b.name.replace(" ", "-")) for b in BREAKS])
def test_rules_that_cannot_be_loaded_close_the_host(lab: Lab, host: LabHost, stack: Stack, broken: Break) -> None:
    host.exec(broken.command)
    try:
        boot(host)
        seen = probe_ports(lab, host, OPEN)
        answers = pings(lab, host)
        journal = host.exec("journalctl -b -q --no-pager -t stockade").stdout.splitlines()
    finally:
        host.exec(broken.mended)
    reached = {family: {port for port, told in ports.items() if told == "open"} for family, ports in seen.items()}
    assert reached == {"ipv4": {22}, "ipv6": {22}}
    assert answers == {"ipv4": True, "ipv6": True}
    for family, why in (("ipv4", broken.ipv4), ("ipv6", broken.ipv6)):
        [told] = [line for line in journal if f"firewall {family}: CLOSED but for TCP port 22, {SINCE}" in line]
        assert why in told

    stack.refresh()
    assert stack.preview(check=False).output.count("closed at boot: ") == 2
    stack.up()
    assert probe_ports(lab, host, OPEN) == {"ipv4": OPEN, "ipv6": OPEN}
    assert "STOCKADE" not in host.iptables_save(4) + host.iptables_save(6)


def test_mended_it_is_as_before(stack: Stack) -> None:
    stack.refresh()
    stack.unchanged()


DOCKER = (
    "iptables -N f2b-sshd; iptables -I INPUT -p tcp -j f2b-sshd; iptables -P FORWARD DROP; iptables -N DOCKER;"
    "iptables -I FORWARD -o docker0 -j DOCKER; iptables -I FORWARD -i docker0 -j ACCEPT"
)
RESPELLED = "cd /var/lib/stockade/boot/ipv4; sed -i 's/-m tcp --dport/--dport/' expected; echo older >version"


def test_what_others_add_and_another_version_of_iptables_close_nothing(lab: Lab, host: LabHost, stack: Stack) -> None:
    host.exec(unit("After=ssh.service", "multi-user.target", DOCKER))
    host.exec(RESPELLED)
    boot(host)
    host.exec(NO_OTHER)
    assert "f2b-sshd" in host.iptables_save(4)
    assert "STOCKADE" not in host.iptables_save(4) + host.iptables_save(6)
    assert probe_ports(lab, host, OPEN) == {"ipv4": OPEN, "ipv6": OPEN}


VARIANTS = {
    "fedora": ("/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"),
    "centos7": ("/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"),
    "centos6": ("/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"),
    "debian7": ("/etc/iptables/rules.v4", "/etc/iptables/rules.v6"),
    "arch": ("/etc/iptables/iptables.rules", "/etc/iptables/ip6tables.rules"),
}
WITH_UNITS = ("fedora", "centos7", "arch")
FOREIGN = "iptables -N f2b-sshd; iptables -A f2b-sshd -s 192.0.2.7 -j DROP; iptables -I INPUT -j f2b-sshd"
BREAK = "sed -i 's/^COMMIT/-A INPUT -m nowhere -j ACCEPT\\n&/' {}"
OURS = "find /etc /run/systemd/system /var/lib/stockade -name '*stockade*'"


def test_so_it_is_on_every_family(lab: Lab, bring_up: Callable[..., LabHost], new_stack: Callable[..., Stack]) -> None:
    hosts = {variant: bring_up(f"boot-{variant}", variant) for variant in VARIANTS}

    def everywhere(command: str) -> dict[str, str]:
        return {variant: host.exec(command, check=False).stdout for variant, host in hosts.items()}

    def reboot() -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda host: host.reboot(), hosts.values()))

    prior = {variant: snapshot(host) for variant, host in hosts.items()}
    stack = new_stack(*hosts.values(), firewall={"takeOver": True})
    everywhere(FOREIGN)
    stack.up()
    # iptables' own units are active, and did not flush foreign rules
    assert {"192.0.2.7" in rules for rules in everywhere("iptables -S").values()} == {True}
    active = everywhere("systemctl is-active iptables ip6tables")
    assert {variant: active[variant] for variant in WITH_UNITS} == dict.fromkeys(WITH_UNITS, "active\nactive\n")
    stack.unchanged()

    for variant, (ipv4, ipv6) in VARIANTS.items():
        hosts[variant].exec(f"{BREAK.format(ipv4)}; : >{ipv6}")
    reboot()
    for variant, (ipv4, ipv6) in VARIANTS.items():  # rpcbind listens on all of them
        assert probe_ports(lab, hosts[variant], [22, 111])["ipv4"] == {22: "open", 111: "refused"}
        log = hosts[variant].exec("cat /var/lib/stockade/boot/log").stdout
        assert f"ipv4: CLOSED but for TCP port 22, {SINCE} {ipv4} cannot be loaded" in log
        assert f"ipv6: CLOSED but for TCP port 22, {SINCE} {ipv6} has no rules" in log
    stack.refresh()
    assert stack.preview(check=False).output.count("closed at boot") == 2 * len(VARIANTS)
    stack.up()
    stack.unchanged()
    reboot()
    for rules in everywhere("iptables -S; ip6tables -S").values():
        assert ("STOCKADE" in rules, rules.count("--dport 443")) == (False, 2)
    stack.destroy()
    assert everywhere(OURS) == dict.fromkeys(VARIANTS, "")
    assert {variant: snapshot(host) for variant, host in hosts.items()} == prior

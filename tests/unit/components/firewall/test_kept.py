"""A firewall that another program manages, read by the script on the stage."""

import pytest

from components.firewall.kept.chapter import KeptChapter, KeptFacts, KeptInputs, Program
from tests.shell_room import Stage
from tests.unit.components.firewall.programs import iptables, systemctl

CHAPTER = KeptChapter()
RULES = (
    "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp -m tcp --dport {port} -j ACCEPT\nCOMMIT\n"
)
ZONES = """\
public (active)
  target: default
  interfaces: eth0
  sources:
  services: http outer
  ports:
  protocols:
  forward: yes
  masquerade: no
  forward-ports:
  source-ports:
  icmp-blocks:
  rich rules:
\trule family="ipv4" source address="192.0.2.0/24" service name="inner" accept
"""
SERVICES = {
    "http": "http\n  ports: 80/tcp\n  includes:",
    "outer": "outer\n  ports:\n  includes: middle http",
    "middle": "middle\n  ports: 7001/tcp\n  includes: deep",
    "deep": "deep\n  ports: 7002/tcp\n  includes: deeper",
    "deeper": "deeper\n  ports: 7003/tcp\n  includes:",
    "inner": "inner\n  ports: 5432/tcp\n  includes:",
}


def observed(stage: Stage, program: Program) -> KeptFacts:
    """Look at it."""
    declared = KeptInputs(host="web1", program=program)
    answer = stage.one(CHAPTER.observe(declared))
    assert answer.status == 0, answer.stderr
    return CHAPTER.parse(declared, answer)


@pytest.mark.parametrize(("conf", "active"), [("ENABLED=yes\n", True), ("ENABLED=no\n", False), (None, False)])
def test_the_rules_of_ufw_are_those_of_iptables(stage: Stage, conf: str | None, active: bool) -> None:
    iptables(stage)
    if conf:
        stage.write("/etc/ufw/ufw.conf", conf)
    stage.write("/fake/iptables", RULES.format(port=22) + "*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n")
    stage.write("/fake/ip6tables", RULES.format(port=443))
    seen = observed(stage, "ufw")
    assert seen.active is active
    assert seen.exposure_ipv4 == ("tcp/22 from anywhere",)
    assert seen.exposure_ipv6 == ("tcp/443 from anywhere",)
    assert "nat" not in seen.ipv4


def test_firewalld_is_active_where_its_service_is(stage: Stage) -> None:
    iptables(stage)
    systemctl(stage, firewalld="enabled inactive")
    assert not observed(stage, "firewalld").active
    assert stage.calls("firewall-cmd") == []


def test_the_zones_of_firewalld_with_all_that_their_services_include(stage: Stage) -> None:
    iptables(stage)
    systemctl(stage, firewalld="enabled active")
    stage.write("/fake/zones", ZONES)
    for name, text in SERVICES.items():
        stage.write(f"/fake/services/{name}", f"{text}\n")
    stage.program(
        "firewall-cmd",
        "case $1 in --list-all-zones) cat /fake/zones ;; --get-default-zone) echo public ;; "
        '*) cat "/fake/services/${1#*=}" ;; esac',
    )
    seen = observed(stage, "firewalld")
    assert seen.active
    reached = ("tcp/80 from anywhere", "tcp/7001-7002 from anywhere")
    assert {*reached} <= {*seen.exposure_ipv4}
    assert "firewalld-deeper" in seen.exposure_ipv4[0]  # not followed that deep: it may contain anything
    assert any("5432" in line and "192.0.2.0/24" in line for line in seen.exposure_ipv4)
    assert not any("5432" in line for line in seen.exposure_ipv6)
    asked = [call.arguments[0] for call in stage.calls("firewall-cmd")]
    assert asked.count("--info-service=http") == 1  # once, however often it is named
    assert "--info-service=deep" in asked


def test_a_program_that_is_not_active_keeps_nothing_and_that_is_said() -> None:
    declared = KeptInputs(host="web1", program="ufw")
    assert CHAPTER.differences(declared, KeptFacts(active=True)) == ""
    told = CHAPTER.differences(declared, KeptFacts(active=False))
    assert told.startswith("ufw is not active, so there is nothing to keep.")
    assert "`firewall: false`" in told

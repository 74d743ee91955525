"""firewalld's zones as rules."""

import pytest

from rules.analysis.reachability import analyse
from rules.language.parse import parse
from rules.presets.firewalld import as_rules
from rules.values.family import Family

ZONES = """block
  target: %%REJECT%%
  interfaces:
  services:

public (active)
  target: default
  icmp-block-inversion: no
  interfaces: eth0
  sources:
  services: dhcpv6-client ssh
  ports: 8080/tcp 5000-5010/udp
  protocols: gre
  forward: yes
  masquerade: no
  icmp-blocks: echo-request
  rich rules:
{rich}
trusted (active)
  target: ACCEPT
  interfaces:
  sources: 192.0.2.0/24 2001:db8::/64 52:54:00:12:34:56
  forward: yes
  rich rules:
"""
SERVICES = """ssh
  ports: 22/tcp
  destination:
  includes:
dhcpv6-client
  ports: 546/udp
  destination: ipv6:fe80::/64
https
  ports: 443/tcp
web
  includes: https http
http
  ports: 80/tcp
"""


def exposed(family: Family, *rich: str) -> set[str]:
    text = as_rules(ZONES.replace("{rich}", "".join(f"\t{rule}\n" for rule in rich)), SERVICES, "public", family)
    return set(analyse(parse(text, family)).exposure())


def test_services_ports_and_zones_by_source() -> None:
    found = exposed(Family.IPV4)
    assert {"everything from 192.0.2.0/24", "tcp/22 from anywhere", "tcp/8080 from anywhere"} <= found
    assert {"udp/5000-5010 from anywhere", "gre from anywhere"} <= found
    assert not [line for line in found if "546" in line or line.startswith("icmp/echo-request from anywhere")]
    assert "icmp/timestamp-request from anywhere" in found
    six = exposed(Family.IPV6)
    assert {"everything from 2001:db8::/64", "tcp/22 from anywhere"} <= six
    assert [line for line in six if "udp/546" in line]
    assert "possibly everything from anywhere (rule 10: -m mac --mac-source 52:54:00:12:34:56)" in six


@pytest.mark.parametrize(
    ("rule", "line", "there"),
    [
        ('rule family="ipv4" source address="198.51.100.0/24" port port="5432" protocol="tcp" accept',
         "tcp/5432 from 198.51.100.0/24", True),
        ('rule family="ipv6" source address="2001:db8:1::/64" service name="https" accept', "443", False),
        ('rule service name="web" accept', "tcp/80 from anywhere", True),
        ('rule family="ipv4" source address="0.0.0.0/0" service name="ssh" drop', "tcp/22 from anywhere", False),
        ('rule priority="-5" family="ipv4" source NOT address="198.51.100.7" port port="22" protocol="tcp" reject',
         "tcp/22 from anywhere", False),
        ('rule family="ipv4" port port="25" protocol="tcp" log prefix="x" level="info" limit value="3/m" accept',
         "tcp/25 from anywhere", True),
        ('rule family="ipv4" forward-port port="80" protocol="tcp" to-port="8080"', "tcp/80 from anywhere", False),
    ],
)  # fmt: skip
def test_rich_rules(rule: str, line: str, there: bool) -> None:
    assert any(line in found for found in exposed(Family.IPV4, rule)) is there


def test_what_is_not_understood_is_in_doubt() -> None:
    found = exposed(Family.IPV4, 'rule family="ipv4" source ipset="office" accept', 'rule service name="odd" accept')
    assert [line for line in found if line.startswith("possibly ") and "odd" in line]
    assert [line for line in found if line.startswith("possibly ") and "office" in line]


def test_what_is_no_zone_is_an_error_of_the_rules() -> None:
    zones = "public\n  target: default\n  ports: 80;reboot/tcp\n"
    with pytest.raises(ValueError, match="port"):
        parse(as_rules(zones, "", "public", Family.IPV4), Family.IPV4)

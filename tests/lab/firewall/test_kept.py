"""A firewall managed by ufw or firewalld is only read, never changed."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.snapshot import difference, snapshot
from tests.lab.stack import Stack


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    host = bring_up("kept1")
    host.exec("DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends ufw firewalld </dev/null")
    host.exec("systemctl -q disable --now firewalld")
    return host


def seen(stack: Stack) -> dict[str, Any]:
    """The kept firewall in the state."""
    found: dict[str, Any] = next(item for item in stack.state() if item["type"].endswith(":KeptFirewall"))["outputs"]
    return dict(found["observed"])


def test_a_look_before_the_first_up_prints_what_is_there_and_changes_nothing(
    host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    host.exec("iptables -A INPUT -p tcp --dport 8080 -j DROP; nft add table inet blocklist")
    host.exec("nft 'add chain inet blocklist in { type filter hook input priority 0; policy accept; }'")
    host.exec("nft add rule inet blocklist in tcp dport 9 drop; systemctl -q enable nftables")
    before = snapshot(host)
    stack = new_stack(host, firewall={"keep": "ufw"})
    shown = stack.run("look")
    assert f"{host.name}: logged in as root" in shown
    assert "tcp 0.0.0.0:22 sshd (package openssh-server)" in shown
    assert "-A INPUT -p tcp -m tcp --dport 8080 -j DROP" in shown
    assert "nftables.service starts at the next boot" in shown
    assert "the nftables table inet blocklist drops packets, too" in shown
    assert difference(before, snapshot(host)) == {}
    assert not [*(stack.folder / ".state").iterdir()]
    host.exec("systemctl -q disable nftables; nft flush ruleset")
    stack.configure(hosts={"gone": entry(host, address="198.51.100.254", connectTimeout=1, perDialTimeout=1)})
    missed = stack.run("look", check=False)
    assert missed.status == 1
    assert "gone: " in missed
    assert "Traceback" not in missed


def test_ufw_is_read_and_left_alone(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(host, firewall={"keep": "ufw"})
    assert "ufw is not active, so there is nothing to keep" in stack.up(check=False)
    host.exec("ufw allow 22/tcp; ufw allow from 192.0.2.0/24 to any port 5432 proto tcp; ufw --force enable")
    before = snapshot(host)
    stack.up()
    assert difference(before, snapshot(host)) == {}
    assert {"tcp/22 from anywhere", "tcp/5432 from 192.0.2.0/24"} <= {*seen(stack)["exposureIpv4"]}
    assert "everything from anywhere" not in seen(stack)["exposureIpv6"]
    output = stack.run("output", "--json").output
    told = json.loads(output[output.index("{") :])
    assert "tcp/5432 from 192.0.2.0/24" in told[host.name]["firewall"]["ipv4"]
    stack.refresh()
    stack.unchanged()

    host.exec("ufw allow 8080/tcp")
    stack.refresh()
    assert "ipv4: now also reachable: tcp/8080 from anywhere" in stack.preview()
    stack.up()  # accepts it as it is: nothing is declared
    assert "tcp/8080 from anywhere" in seen(stack)["exposureIpv4"]
    stack.refresh()
    stack.unchanged()
    before = snapshot(host)
    stack.destroy()
    assert {*difference(before, snapshot(host))} <= {"ours"}


def test_firewalld_is_read_and_left_alone(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    rich = 'rule family="ipv4" source address="192.0.2.0/24" port port="5432" protocol="tcp" accept'
    host.exec("ufw --force disable; systemctl -q enable --now firewalld; firewall-cmd -q --add-port=8443/tcp")
    host.exec(["firewall-cmd", "-q", f"--add-rich-rule={rich}"])
    before = host.exec("nft -s list ruleset").stdout
    stack = new_stack(host, firewall={"keep": "firewalld"})
    stack.up()
    assert host.exec("nft -s list ruleset").stdout == before
    wanted = {"tcp/22 from anywhere", "tcp/8443 from anywhere", "tcp/5432 from 192.0.2.0/24"}
    assert wanted <= {*seen(stack)["exposureIpv4"]}
    assert not [line for line in seen(stack)["exposureIpv4"] if "everything" in line or line.startswith("possibly")]
    stack.refresh()
    stack.unchanged()

"""What a `HardenedHost` declares for each setting, and what it reports as in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pulumi.runtime import mocks, set_mocks
from pulumi.runtime import test as ended

from components.host import HardenedHost
from components.registry import Hardening
from hosts.ssh.connection import HostAccess
from tests.unit.components.config.test_host_order import LOGIN, Declared, declared, monitor

__all__ = ["monitor"]
pytestmark = pytest.mark.usefixtures("monitor")


class Answered(Declared):
    """Resources whose outputs are these, by type."""

    def __init__(self, outputs: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        self.answers = outputs

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        id_, outputs = super().new_resource(args)
        return id_, {**outputs, **self.answers.get(args.typ.rpartition(":")[2], {})}


def in_force(chapters: Mapping[str, Any], **outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a host reports as in force if its resources have these outputs."""
    found = Answered(outputs)

    def program() -> None:
        access = HostAccess.model_validate({"name": "web1", "admin": LOGIN})
        HardenedHost("web1", access, Hardening.model_validate(chapters)).enforced.apply(found.outputs.update)

    set_mocks(found, project="shop", stack="test")
    ended(program)()
    return found.outputs


def both(text: str) -> dict[str, str]:
    """The same of both families."""
    return {"ipv4": text, "ipv6": text}


RULES = "*filter\n:INPUT DROP\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"
SETS = {"blocked": {"entries": ["192.0.2.1"]}, "any": {"type": "hash:mac"}}
JAILS = "[sshd]\nenabled = true\nmaxretry = 3\nfindtime = 10m\nbantime = 1h\n[web]\nenabled = false\n"


@pytest.mark.parametrize(
    ("chapters", "outputs", "told"),
    [
        ({"firewall": {}}, {"Ruleset": {"rules": RULES}}, {"firewall": both("2 rules, loaded at boot")}),
        (
            {"firewall": {"persistent": False}},
            {"Ruleset": {"rules": RULES}},
            {"firewall": both("2 rules, not loaded at boot")},
        ),
        (
            {"firewall": {"keep": "ufw"}},
            {"KeptFirewall": {"observed": {"exposureIpv4": ["tcp/22 from anywhere", "icmp"], "exposureIpv6": []}}},
            {"firewall": {"ipv4": "ufw's: tcp/22 from anywhere, icmp", "ipv6": "ufw's: nothing gets in"}},
        ),
        (
            {"firewall": {"keep": "firewalld"}},
            {"KeptFirewall": {"observed": None}},
            {"firewall": both("firewalld's: nothing gets in")},
        ),
        ({"fail2ban": {}}, {"Fail2Ban": {"config": JAILS}}, {"fail2ban": {"sshd": "3 failures in 10m: banned for 1h"}}),
        ({"fail2ban": {"enabled": False}}, {"Fail2Ban": {"config": JAILS}}, {"fail2ban": {}}),
        (
            {},
            {"Packages": {"observed": {"ours": ["vim"], "removed": ["nis=4", "tftp=5"]}}},
            {"packages": {"installed": ["vim"], "removed": ["nis", "tftp"]}},
        ),
        ({}, {"Packages": {"observed": None}}, {"packages": None}),
        (
            {"listeners": {}},
            {"Listeners": {"observed": {"listening": ["tcp a"], "loopback": ["tcp b"]}}},
            {"listeners": ["tcp a", "tcp b"]},
        ),
        ({"sysctl": {}}, {"Sysctl": {"settings": "a.b = 1\nc = 2\n"}}, {"sysctl": ["a.b = 1", "c = 2"]}),
        ({"updates": {}}, {}, {"updates": "daily from security sources, no reboot"}),
        ({"updates": {}}, {"AutomaticUpdates": {"enabled": False}}, {"updates": "off"}),
        (
            {"updates": {"origins": ["origin=a", "origin=b"], "rebootTime": "04:00"}},
            {},
            {"updates": "daily from 2 sources, reboot at 04:00 where needed"},
        ),
        (
            {"upgrade": {"trigger": "1"}},
            {"SystemUpgrade": {"observed": {"rebootDue": False}}},
            {"upgrade": "no reboot due"},
        ),
        ({"upgrade": {"trigger": "1"}}, {"SystemUpgrade": {"observed": None}}, {"upgrade": "not upgraded yet"}),
        (
            {"users": [{"name": "ann"}, {"name": "deploy", "sudo": "none"}]},
            {},
            {"users": ["deploy: sudo none", "ann: sudo password"]},
        ),
    ],
)
def test_what_is_in_force(chapters: Any, outputs: Any, told: Any) -> None:
    found = in_force(chapters, **outputs)
    assert {name: found[name] for name in told} == told


class TestFirewall:
    def test_a_kept_one_is_read_and_its_rules_are_outputs(self) -> None:
        found = declared({"firewall": {"keep": "ufw"}, "users": [{"name": "deploy"}]})
        assert found.inputs["KeptFirewall web1"]["program"] == "ufw"
        assert found.inputs["KeptFirewall web1"]["host"] == "web1"
        assert {"Packages web1", "LimitedUser web1-deploy"} <= found.before["KeptFirewall web1"]
        assert not [name for name in found.inputs if name.startswith("Ruleset")]
        assert not {"iptables", "iptables-persistent"} & set(found.inputs["Packages web1"]["present"])

    def test_both_families_have_the_settings_that_are_given_and_no_others(self) -> None:
        given = {"preserve": ["docker0"], "beside": ["inet blocklist"], "takeOver": True}
        for family in ("ipv4", "ipv6"):
            inputs = declared({"firewall": given}).inputs[f"Ruleset web1-{family}"]
            assert {name: inputs[name] for name in given} == given
            assert inputs["family"] == family
            bare = declared({"firewall": {}}).inputs[f"Ruleset web1-{family}"]
            assert not {"preserve", "beside", "sets", "triggers"} & {name for name in bare if bare[name] is not None}
            assert (bare["persistent"], bare["takeOver"], bare["sshPorts"]) == (True, False, [22])

    def test_each_family_has_the_sets_that_fit_it(self) -> None:
        rule = "-I INPUT 1 -m set --match-set {} src -j DROP"
        four, six = ({"commands": [rule.format(name)]} for name in ("blocked", "any"))
        found = declared({"firewall": {"sets": SETS, "ipv4": four, "ipv6": six}})
        of_four, of_six = (found.inputs[f"Ruleset web1-{family}"]["sets"] for family in ("ipv4", "ipv6"))
        assert "create blocked hash:net family inet" in of_four
        assert "add blocked 192.0.2.1" in of_four
        assert "blocked" not in of_six
        assert "create any hash:mac" in of_six
        assert "ipset" in found.inputs["Packages web1"]["present"]
        assert "ipset" not in declared({"firewall": {}}).inputs["Packages web1"]["present"]

    def test_a_set_of_both_families_is_made_by_one_after_the_other(self) -> None:
        rule = ["-I INPUT 1 -m set --match-set any src -j DROP"]
        sets = {"any": {"type": "hash:mac"}}
        shared = {"firewall": {"sets": sets, "ipv4": {"commands": rule}, "ipv6": {"commands": rule}}}
        for chapters in (shared, {"firewall": {"takeOver": True}}):
            assert "Ruleset web1-ipv4" in declared(chapters).before["Ruleset web1-ipv6"]
        assert "Ruleset web1-ipv4" not in declared({"firewall": {}}).before["Ruleset web1-ipv6"]


class TestPackages:
    def test_all_that_the_chapters_need_in_one_transaction(self) -> None:
        chapters = {
            "users": [{"name": "deploy"}],
            "firewall": {"takeOver": True},
            "fail2ban": {},
            "updates": {},
            "timeSync": {"daemon": "chrony"},
            "packages": {"present": ["vim"], "absent": ["nis"]},
        }
        inputs = declared(chapters).inputs["Packages web1"]
        assert set(inputs["present"]) == {
            *("chrony", "fail2ban", "iptables", "iptables-persistent", "python3-systemd", "sudo"),
            *("unattended-upgrades", "vim"),
        }
        assert {"nis", "openntpd", "systemd-timesyncd"} <= set(inputs["absent"])
        assert (inputs["unstarted"], inputs["takeOver"]) == (["fail2ban"], True)
        assert "existing" not in inputs
        assert declared({}).inputs["Packages web1"]["takeOver"] is False

    @pytest.mark.parametrize(
        ("chapter", "resource", "package"),
        [
            ({"users": [{"name": "deploy"}]}, "LimitedUser web1-deploy", "sudo"),
            ({"fail2ban": {}}, "Fail2Ban web1", "fail2ban"),
            ({"updates": {}}, "AutomaticUpdates web1", "unattended-upgrades"),
            ({"timeSync": {"daemon": "chrony"}}, "TimeSync web1", "chrony"),
            ({"firewall": {}}, "Ruleset web1-ipv6", "iptables"),
        ],
    )
    def test_a_package_that_was_removed_has_its_chapter_look_again(
        self, chapter: Any, resource: str, package: str
    ) -> None:
        found = Answered({"Packages": {"dropped": {package: 2, "vim": 1, "*": 3}}})

        def program() -> None:
            access = HostAccess.model_validate({"name": "web1", "admin": LOGIN})
            HardenedHost("web1", access, Hardening.model_validate(chapter))

        set_mocks(found, project="shop", stack="test")
        ended(program)()
        assert found.inputs[resource]["triggers"] == ["* 3", f"{package} 2"]

    def test_listeners_are_looked_at_again_when_packages_come_or_go(self) -> None:
        found = Answered({"Packages": {"observed": {"installed": {"vim": "9"}, "removed": ["nis=4"], "ours": []}}})

        def program() -> None:
            access = HostAccess.model_validate({"name": "web1", "admin": LOGIN})
            HardenedHost("web1", access, Hardening.model_validate({"listeners": {}}))

        set_mocks(found, project="shop", stack="test")
        ended(program)()
        assert found.inputs["Listeners web1"]["triggers"] == ["no nis", "vim 9"]
        assert "existing" not in found.inputs["Listeners web1"]


def test_fail2ban_waits_for_a_firewall_that_stops_firewalld() -> None:
    def before(**firewall: Any) -> set[str]:
        return declared({"firewall": firewall, "sshd": {}, "fail2ban": {}}).before["Fail2Ban web1"]

    assert not {"Ruleset web1-ipv4", "Sshd web1"} & before()
    assert {"Ruleset web1-ipv4", "Ruleset web1-ipv6", "Sshd web1"} <= before(takeOver=True)


def test_a_firewall_that_ends_ipv6_has_the_line_of_gai_conf_beside_it() -> None:
    found = declared({"firewall": {"ipv6Mode": "reject"}, "users": [{"name": "deploy"}]})
    assert {"Packages web1", "LimitedUser web1-deploy"} <= found.before["AddressPreference web1"]
    assert not [name for name in declared({"firewall": {"keep": "ufw"}}).inputs if "AddressPreference" in name]

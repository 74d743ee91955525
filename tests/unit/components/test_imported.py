"""What an import of each chapter looks for, and what it makes of what it finds."""

import json
from typing import Any

import pytest

from components.core.operations.importing import _sought as sought
from components.fail2ban.chapter import Fail2BanChapter
from components.fail2ban.settings import DROP_IN as JAILS
from components.fail2ban.settings import Fail2BanFacts, Fail2BanInputs, JailFacts
from components.failure import Failure
from components.firewall.ruleset.chapter import RulesetChapter
from components.firewall.ruleset.settings import RulesetFacts, RulesetInputs
from components.listeners.chapter import ListenerChapter
from components.listeners.settings import ListenerFacts, ListenerInputs
from components.packages.chapter import PackageChapter
from components.packages.settings import PackageFacts, PackageInputs
from components.sysctl.chapter import DROP_IN as SYSCTL
from components.sysctl.chapter import SysctlChapter
from components.sysctl.settings import SysctlFacts, SysctlInputs
from components.updates.chapter import UpdateChapter
from components.updates.settings import UpdateFacts, UpdateInputs
from hosts.shell import Answer
from hosts.system.files import FileState
from tests.unit.test_recorded import chapters

GUIDE = ("fail2ban", "iptables", "iptables-persistent", "sudo", "unattended-upgrades")


def answered(**sections: str) -> Answer:
    """What a host printed."""
    return Answer("", "", 0, sections)


def written(path: str, content: str) -> dict[str, Any]:
    """A file of ours on the host."""
    return {"dropin": FileState(path, True, content, "644", "root", "root").packed()}


@pytest.mark.parametrize(
    ("chapter", "title", "inputs"),
    [
        ("preference", "address preference", {}),
        ("fail2ban", "fail2ban", {"config": ""}),
        ("kept", "firewall kept", {"program": "ufw"}),
        ("ruleset", "firewall ipv6", {"family": "ipv6"}),
        ("listener", "listeners", {}),
        ("package", "packages", {"group": "", "present": GUIDE}),
        ("package", "packages time", {"group": "time", "present": GUIDE}),
        (
            "sshd",
            "sshd",
            {"settings": "KbdInteractiveAuthentication no\nPasswordAuthentication no\nPermitRootLogin no\n"},
        ),
        ("timesync", "time sync", {"daemon": "openntpd"}),
        ("update", "automatic updates", {}),
        ("user", "user bob", {"name": "bob"}),
    ],
)
def test_an_id_says_what_to_look_at(chapter: str, title: str, inputs: dict[str, Any]) -> None:
    found = sought(chapters()[chapter], f"web1/{title}")
    assert found.host == "web1"
    assert {name: getattr(found, name) for name in inputs} == inputs
    assert chapters()[chapter].title(found) == title


def test_what_is_looked_at_first_is_what_the_guide_sets() -> None:
    packages = sought(PackageChapter(), "web1/packages")
    assert {"rpcbind"} < set(packages.absent)
    assert "net.ipv4.tcp_syncookies = 1\n" in sought(SysctlChapter(), "web1/sysctl").settings
    assert "*filter\n" in sought(RulesetChapter(), "web1/firewall ipv4").rules


@pytest.mark.parametrize("chapter", sorted(chapters()))
@pytest.mark.parametrize("id_", ["web1/another", "/fail2ban", "web1", "web1/fail2ban x", ""])
def test_another_id_is_refused(chapter: str, id_: str) -> None:
    with pytest.raises(Failure, match=r"is not an id of this type: expected `HOST/|has nothing of this kind before"):
        sought(chapters()[chapter], id_)


class TestFail2Ban:
    CHAPTER = Fail2BanChapter()
    LOOKED = Fail2BanInputs(host="web1", config="")
    RUNS = Fail2BanFacts(enabled="enabled", active="active")

    def existing(self, seen: Fail2BanFacts, inputs: Fail2BanInputs = LOOKED, running: Any = None) -> Any:
        answer = answered(running=json.dumps(running) + "\n" if running else "")
        return self.CHAPTER.existing(inputs, seen, answer)

    def test_without_fail2ban_there_is_nothing(self) -> None:
        assert self.existing(Fail2BanFacts(enabled="absent", active="inactive")) is None

    @pytest.mark.parametrize(("enabled", "active"), [("enabled", "failed"), ("disabled", "active")])
    def test_a_server_that_is_neither_on_nor_off_cannot_be_declared(self, enabled: str, active: str) -> None:
        with pytest.raises(Failure, match="neither on nor off"):
            self.existing(Fail2BanFacts(enabled=enabled, active=active, **written(JAILS, "[sshd]\nport = 1\n")))

    def test_a_server_that_does_not_run_and_will_not_is_off(self) -> None:
        seen = Fail2BanFacts(enabled="disabled", active="inactive", **written(JAILS, "[sshd]\nport = 1\n"))
        found = self.existing(seen)
        assert (found.enabled, found.config) == (False, "[sshd]\nport = 1\n")

    def test_our_file_is_declared_as_it_is(self) -> None:
        found = self.existing(self.RUNS.model_copy(update=written(JAILS, "[web]\nenabled = true\n")))
        assert (found.enabled, found.config) == (True, "[web]\nenabled = true\n")

    def test_other_jails_that_run_are_looked_at_then_declared_with_their_values(self) -> None:
        running = [["Number of jail", 2], ["Jail list", "web, sshd, a]b"]]
        first = self.existing(self.RUNS, running=running)
        assert first.config == "[sshd]\nenabled = true\n[web]\nenabled = true\n"
        values = JailFacts(maxretry="3", findtime="60", bantime="-1", ignoreip=("::1", "192.0.2.1"))
        seen = self.RUNS.model_copy(update={"jails": {"sshd": values}})
        found = self.existing(seen, first, running)
        shown = {"maxretry": "3", "findtime": "60", "bantime": "-1", "ignoreip": "::1 192.0.2.1", "enabled": "true"}
        assert found.jails["sshd"].values == shown
        assert found.jails["web"].values == {"enabled": "true"}

    def test_a_server_without_jails_has_none(self) -> None:
        assert self.existing(self.RUNS).config == ""
        assert self.existing(self.RUNS, running=[["Number of jail", 0]]).config == ""


def test_packages_are_those_that_are_there_and_those_that_were_changed() -> None:
    looked = PackageInputs(host="web1", present=("fail2ban", "sudo"), absent=("exim4-base", "rpcbind"))
    seen = PackageFacts(installed={"sudo": "1", "rpcbind": "2", "mc": "3"}, removed=("nis=4", "tftp=5"), ours=("vim",))
    found = PackageChapter().existing(looked, seen, answered())
    assert (found.present, found.absent) == (("sudo", "vim"), ("exim4-base", "nis", "tftp"))
    back = seen.model_copy(update={"installed": {**seen.installed, "nis": "4"}})  # somebody installed it again
    assert PackageChapter().existing(looked, back, answered()).absent == ("exim4-base", "tftp")


class TestSysctl:
    LOOKED = SysctlInputs(host="web1", settings="net.ipv4.tcp_syncookies = 1\nnet.ipv4.conf.all.rp_filter = 1\n")
    COOKIES, FILTER = "net/ipv4/tcp_syncookies", "net/ipv4/conf/all/rp_filter"

    def existing(self, **facts: Any) -> str:
        found = SysctlChapter().existing(self.LOOKED, SysctlFacts.model_validate(facts), answered())
        return found.settings

    def test_the_values_in_force(self) -> None:
        assert self.existing(values={self.COOKIES: "0"}) == (
            "net.ipv4.conf.all.rp_filter = 1\nnet.ipv4.tcp_syncookies = 0\n"
        )

    def test_what_the_kernel_lacks_is_left_out(self) -> None:
        assert self.existing(values={self.FILTER: "2"}, missing=[self.COOKIES]) == "net.ipv4.conf.all.rp_filter = 2\n"

    def test_our_file_says_what_is_declared_and_not_what_follows_for_interfaces(self) -> None:
        ours = "kernel.panic = 5\nnet.ipv4.conf.all.rp_filter = 1\nnet.ipv4.conf.eth0.rp_filter = 1\n"
        shown = self.existing(values={"kernel/panic": "9"}, **written(SYSCTL, ours))
        assert shown == "kernel.panic = 9\nnet.ipv4.conf.all.rp_filter = 1\n"


class TestUpdates:
    OFF = {"installed": True, "periodic": ("1", "1", "0"), "timers": ("enabled active",)}
    ON = {**OFF, "periodic": ("1", "1", "1"), "origins": ("origin=Debian",)}

    def existing(self, **facts: Any) -> Any:
        looked = UpdateInputs(host="web1")
        return UpdateChapter().existing(looked, UpdateFacts.model_validate(facts), answered())

    def test_without_the_program_there_is_nothing(self) -> None:
        assert self.existing() is None

    def test_off(self) -> None:
        found = self.existing(**self.OFF)
        assert found == UpdateInputs(host="web1", enabled=False)

    @pytest.mark.parametrize(
        ("facts", "shown"),
        [
            ({}, {"reboot_time": None, "mail": None}),
            ({"reboot": True, "reboot_time": "04:00"}, {"reboot_time": "04:00"}),
            ({"reboot": True}, {"reboot_time": "now"}),
            ({"reboot_time": "04:00"}, {"reboot_time": None}),
            ({"mail": "root", "mail_report": "always"}, {"mail": "root", "mail_report": "always"}),
        ],
    )
    def test_on_with_what_is_in_force(self, facts: dict[str, Any], shown: dict[str, Any]) -> None:
        found = self.existing(**self.ON, **facts)
        assert (found.enabled, found.origins) == (True, ("origin=Debian",))
        assert {name: getattr(found, name) for name in shown} == shown


def test_what_listens_is_expected_by_program_port_and_protocol() -> None:
    looked = ListenerInputs(host="web1", expected=("nginx",))
    seen = ListenerFacts(unexpected=("tcp 0.0.0.0:8080 java (package jre)", "udp [::]:53 named"), listening=("tcp",))
    found = ListenerChapter().existing(looked, seen, answered())
    assert found.expected == ("java:8080/tcp", "named:53/udp", "nginx")


def test_rules_are_those_that_the_host_printed() -> None:
    looked = RulesetInputs(host="web1", family="ipv4", rules="*filter\nCOMMIT\n")  # type: ignore[arg-type]
    saved = "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n"
    found = RulesetChapter().existing(looked, RulesetFacts(saved=saved), answered(saved=saved))
    assert ":INPUT DROP" in found.rules
    assert "-A INPUT -i lo -j ACCEPT\n" in found.rules

"""Packages: what may be declared, and the facts of a host."""

from typing import Any

import pytest
from pulumi.dynamic import UpdateResult
from pulumi.output import Unknown
from pydantic import ValidationError

from components.core.chapter import KnownState
from components.core.dynamic import HostProvider
from components.packages.chapter import PackageChapter
from components.packages.resource import PackagesProvider
from components.packages.settings import MAIL, TIMEOUT, UNNECESSARY, PackageFacts, PackageInputs
from components.timesync.chapter import TimeSyncChapter
from components.timesync.settings import NTP, TimeSyncFacts, TimeSyncInputs, packages_for
from hosts.packages.manager import LOCKED
from hosts.shell import Answer

CHAPTER = PackageChapter()


WAY_IN = "openssh-server openssh sudo sudo-ldap"
FIREWALL = (
    "iptables iptables-nft iptables-legacy iptables-libs nftables iptables-persistent netfilter-persistent "
    "iptables-services iptables-nft-services"
)
START = (
    "init systemd systemd-sysv sysvinit-core sysvinit-utils initscripts upstart runit-init openrc linux linux-lts "
    "linux-image-6.1.0-40-amd64 kernel kernel-core grub grub-pc grub2-tools glibc bash"
)
MANAGERS = "apt dpkg dnf dnf5 yum rpm pacman"
ADDRESSES = (
    "ifupdown netplan.io network-manager isc-dhcp-client dhcpcd-base NetworkManager networkmanager network-scripts "
    "dhcp-client dhclient dhcpcd"
)


@pytest.mark.parametrize("name", f"{WAY_IN} {FIREWALL} {START} {MANAGERS} {ADDRESSES}".split())
def test_the_way_in_is_refused_before_anything_runs(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} is never removed"):
        PackageInputs(host="h", absent=(name,))


def test_a_name_is_wanted_or_not_wanted() -> None:
    with pytest.raises(ValidationError, match="rpcbind: both present and absent"):
        PackageInputs(host="h", present=("rpcbind",), absent=("rpcbind",))
    with pytest.raises(ValidationError, match="is not a valid package name"):
        PackageInputs(host="h", absent=("rpcbind; reboot",))


def test_what_listens_in_the_guide_may_be_removed() -> None:
    assert set(MAIL) < set(PackageInputs(host="h", absent=UNNECESSARY).absent)


def test_drift_both_ways() -> None:
    inputs = PackageInputs(host="h", present=("fail2ban", "iptables"), absent=("exim4-base", "rpcbind"))
    seen = PackageFacts(installed={"iptables": "1", "rpcbind": "2"})
    shown = CHAPTER.as_observed(inputs, KnownState(), seen)
    assert (shown.present, shown.absent) == (("iptables",), ("exim4-base",))
    assert CHAPTER.differences(inputs, seen) == "not installed: fail2ban; still installed: rpcbind"
    fine = PackageFacts(installed={"iptables": "1", "fail2ban": "3"})
    assert CHAPTER.as_observed(inputs, KnownState(), fine) == inputs
    assert CHAPTER.differences(inputs, fine) == ""


def test_what_is_not_declared_any_more_is_counted_for_those_who_configured_it() -> None:
    provider = PackagesProvider()
    first = provider.check({}, {"host": "h", "present": ["fail2ban", "iptables"]}).inputs
    assert first["dropped"] == {}
    without = provider.check(first, {"host": "h", "present": ["iptables"]}).inputs
    assert without["dropped"] == {"fail2ban": 1}
    again = provider.check(without, {"host": "h", "present": ["fail2ban", "iptables"]}).inputs
    assert again["dropped"] == {"fail2ban": 1}
    assert provider.check(again, {"host": "h", "present": []}).inputs["dropped"] == {"fail2ban": 2, "iptables": 1}
    assert not provider.diff("", {**again, "dropped": {"*": 1, **again["dropped"]}}, again).changes


@pytest.mark.parametrize(
    ("state", "counted"),
    [
        ({}, {"vim": 1}),
        ({"unfinished": "install"}, {"*": 1, "vim": 1}),
        ({"unfinished": "install", "dropped": {"*": 2, "mc": 1}}, {"*": 3, "vim": 1}),
        ({"dropped": {"*": 2}}, {"*": 2, "vim": 1}),
    ],
)
def test_a_failed_change_counts_for_all_packages(
    monkeypatch: pytest.MonkeyPatch, state: dict[str, Any], counted: dict[str, int]
) -> None:
    outs = {"present": [], "dropped": {"vim": 1}}
    monkeypatch.setattr(HostProvider, "update", lambda *_: UpdateResult(outs))
    assert PackagesProvider().update("", state, {}).outs == {"present": [], "dropped": counted}


def test_what_a_preview_does_not_know_is_not_counted() -> None:
    news = {"host": "h", "present": ["sudo", Unknown()]}
    assert not PackagesProvider().check({"present": ["vim"]}, news).inputs.get("dropped")


def test_what_the_scripts_are_given() -> None:
    inputs = PackageInputs(
        host="h", present=("sudo", "vim"), absent=("nis",), unstarted=("fail2ban",), take_over=True, lock_timeout=7
    )
    wanted = {"present": "sudo vim", "absent": "nis", "unstarted": "fail2ban", "take_over": "yes", "lock_wait": "7"}
    for script in (CHAPTER.observe(inputs), CHAPTER.apply(inputs, KnownState()), CHAPTER.restore(inputs, KnownState())):
        assert {name: script.values[name] for name in wanted} == wanted
        assert {"openssh-server", "sudo", "dpkg"} <= set(script.values["protected"].split())
        assert script.values["folder"].endswith("/host")
    assert CHAPTER.apply(PackageInputs(host="h"), KnownState()).values["take_over"] == "no"


def test_another_package_manager_is_waited_for_and_its_time_is_added() -> None:
    for limit in (7, 700):
        inputs = PackageInputs(host="h", lock_timeout=limit)
        for script in (CHAPTER.apply(inputs, KnownState()), CHAPTER.restore(inputs, KnownState())):
            assert script.timeout == TIMEOUT + limit
            assert f"more than {limit} seconds (lockTimeout)" in script.exits[LOCKED]


def test_what_a_failed_change_took_away_was_not_taken_back_with_the_package() -> None:
    last = PackageInputs(host="h", present=("fail2ban",))
    assert CHAPTER.irrecoverable(last, PackageFacts())
    assert not CHAPTER.irrecoverable(last, PackageFacts(installed={"fail2ban": "1"}))


def test_facts_are_names_and_versions() -> None:
    sections = {"removed": "exim4-base 4.96 auto exim4-base\nbsd-mailx 8.1 manual exim4-base\n", "ours": "net-tools\n"}
    facts = CHAPTER.parse(PackageInputs(host="h"), Answer("net-tools 2.10\n", "", 0, sections))
    assert facts.installed == {"net-tools": "2.10"}
    assert facts.removed == ("bsd-mailx=8.1", "exim4-base=4.96")
    assert facts.ours == ("net-tools",)


def test_resources_on_one_host_keep_their_records_apart() -> None:
    one, other = PackageInputs(host="h"), PackageInputs(host="h", group="time")
    assert CHAPTER.title(one) != CHAPTER.title(other)
    assert CHAPTER.apply(one, KnownState()).values["folder"] != CHAPTER.apply(other, KnownState()).values["folder"]


def test_a_host_that_lost_its_records_is_told_what_the_state_knows() -> None:
    recorded = PackageFacts(removed=("rpcbind=1.2",), ours=("net-tools",))
    values = CHAPTER.restore(PackageInputs(host="h"), KnownState(recorded=recorded)).values
    assert (values["removed"], values["ours"]) == ("rpcbind=1.2", "net-tools")


def test_one_time_daemon_in_the_place_of_the_others() -> None:
    assert packages_for("keep") == ((), ())
    present, absent = packages_for("openntpd")
    assert present == ("openntpd",)
    assert set(absent) == {*NTP, "chrony", "systemd-timesyncd"}


def test_a_stopped_time_daemon_is_drift_unless_the_host_may_not_set_its_clock() -> None:
    chapter, inputs = TimeSyncChapter(), TimeSyncInputs(host="h", daemon="openntpd")
    stopped = TimeSyncFacts(enabled="enabled", active="inactive", may_set_clock=True)
    assert chapter.as_observed(inputs, KnownState(), stopped) != inputs
    assert "openntpd is inactive" in chapter.differences(inputs, stopped)
    container = stopped.model_copy(update={"may_set_clock": False})
    assert chapter.as_observed(inputs, KnownState(), container) == inputs
    disabled = container.model_copy(update={"enabled": "disabled"})
    assert not chapter.as_observed(inputs, KnownState(), disabled).running

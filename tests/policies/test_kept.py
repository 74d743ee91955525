"""The other policies on a firewall that is kept."""

from __future__ import annotations

from .analyzer import Pack, only
from .cases import V4, V6, resource, with_first

OPEN = "*filter\n:INPUT ACCEPT\nCOMMIT\n"


def test_it_counts_for_both_families_and_for_the_way_in(pack: Pack) -> None:
    pack.configure()
    way = {"connection": {"admin": {"host": "192.0.2.1", "user": "deploy"}}}
    kept = resource("KeptFirewall", program="ufw", observed={"ipv4": V4, "ipv6": V6}, **way)
    assert only(pack.analyze_stack(kept), "both-families", "way-in") == []
    closed = {"ipv4": with_first(V4, "-A INPUT -p tcp --dport 22 -j DROP"), "ipv6": V6}
    told = only(pack.analyze_stack(resource("KeptFirewall", program="ufw", observed=closed, **way)), "way-in")
    assert ["nobody can connect to SSH on port 22" in one.message for one in told] == [True]


def test_before_the_first_look_nothing_is_decided(pack: Pack) -> None:
    pack.configure()
    [told] = only(pack.analyze_stack(resource("KeptFirewall", program="ufw")), "kept-firewall")
    assert not told.mandatory
    assert "seen only in `pulumi up`" in told.message


def test_the_settings_and_waivers_of_each_policy_hold(pack: Pack) -> None:
    kept = resource("KeptFirewall", program="ufw", observed={"ipv4": OPEN, "ipv6": V6})
    pack.configure({"exposure-allowed": {"allowedExposure": ["everything from anywhere"]}})
    pack.analyze(kept)
    told = [one.message.split(": ")[1] for one in only(pack.analyze_stack(kept), "kept-firewall")]
    assert "default-deny-ipv4" in told
    assert "exposure-allowed" not in told
    waived = {"waivedHosts": {"web1": "ufw's, until March"}}
    pack.configure({"default-deny-ipv4": waived})
    pack.analyze(kept)
    told = [one.message.split(": ")[1] for one in only(pack.analyze_stack(kept), "kept-firewall")]
    assert "default-deny-ipv4" not in told
    assert "exposure-allowed" in told

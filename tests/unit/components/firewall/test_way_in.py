"""Rulesets that would block all logins, found without a host."""

from typing import Any

import pytest

from components.failure import Failure
from components.firewall.ruleset.resource import RulesetProvider
from components.firewall.ruleset.settings import RulesetFacts
from components.firewall.ruleset.way_in import refusal, refusal_of
from hosts.ssh.connection import HostAccess
from hosts.system.origin import Origin
from rules.language.parse import parse
from rules.language.render import render
from rules.presets import guide as presets
from rules.values.family import Family

ADDRESSES = {Family.IPV4: "198.51.100.3", Family.IPV6: "2001:db8::3"}
HEAD = "*filter\n:INPUT {}\n:FORWARD ACCEPT\n:OUTPUT {}\n"
ESTABLISHED = "-A INPUT -m state --state ESTABLISHED -j ACCEPT\n"


def access(*addresses: str, port: int = 22, **more: Any) -> HostAccess:
    first, *others = addresses or (ADDRESSES[Family.IPV4],)
    way = {"host": first, "port": port}
    return HostAccess.model_validate({"name": "web1", "bootstrap": way, "addresses": others, **more})


def rules(*lines: str, policy: str = "DROP", output: str = "ACCEPT") -> str:
    return HEAD.format(policy, output) + "".join(f"{line}\n" for line in lines) + "COMMIT\n"


def told(text: str, way: HostAccess | None = None, family: Family = Family.IPV4) -> str:
    return refusal(parse(text, family), way or access(ADDRESSES[family]))


@pytest.mark.parametrize("family", Family)
def test_the_presets_let_the_administrator_in_on_their_port_only(family: Family) -> None:
    preset = render(presets.web(family, ssh_port=2222))
    assert told(preset, access(ADDRESSES[family], port=2222), family) == ""
    assert "nobody can connect to TCP port 22 any more: rule " in told(preset, family=family)


@pytest.mark.parametrize("family", Family)
def test_ssh_from_a_few_addresses_is_a_way_in(family: Family) -> None:
    sources = ("203.0.113.0/24", "2001:db8:1::/48")
    assert told(render(presets.web(family, ssh_sources=sources)), family=family) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (rules(ESTABLISHED.strip()), "nobody can connect to TCP port 22 any more: the policy of INPUT"),
        (
            rules("-A INPUT -p tcp -m tcp --dport 22 -m state --state NEW -j DROP", policy="ACCEPT"),
            "rule 1 of INPUT: -A INPUT -p tcp -m tcp --dport 22 -m state --state NEW -j DROP",
        ),
        (
            rules("-A INPUT -p tcp -m tcp --dport 22 -m state --state NEW -j ACCEPT"),
            "nothing gets through on open connections to TCP port 22: the policy of INPUT",
        ),
        (
            rules("-A OUTPUT -p tcp -m tcp --sport 22 -j DROP", policy="ACCEPT"),
            "no reply from TCP port 22 gets out: rule 1 of OUTPUT: -A OUTPUT -p tcp -m tcp --sport 22 -j DROP",
        ),
        (rules("-A INPUT -i lo -j ACCEPT"), "nobody can connect"),
    ],
)
def test_what_keeps_everybody_out_is_named(text: str, reason: str) -> None:
    assert reason in told(text)


@pytest.mark.parametrize(
    "text",
    [
        rules("-A INPUT -p tcp -m tcp --dport 22 -m set --match-set admins src -j ACCEPT", ESTABLISHED.strip()),
        rules("-A INPUT -p tcp -m tcp --dport 22 -m limit --limit 3/min -j ACCEPT", ESTABLISHED.strip()),
        "*nat\n:PREROUTING ACCEPT\n-A PREROUTING -p tcp -m tcp --dport 22 -j REDIRECT --to-ports 2222\nCOMMIT\n"
        + rules(),
    ],
    ids=["a set", "a limit", "another port by NAT"],
)
def test_what_may_let_somebody_in_is_not_refused(text: str) -> None:
    assert told(text) == ""


def test_only_the_families_that_the_stack_uses_matter() -> None:
    closed = render(presets.reject_all(Family.IPV6))
    assert told(closed, access(ADDRESSES[Family.IPV4]), Family.IPV6) == ""
    assert told(closed, access("web1.example"), Family.IPV6) == ""  # the name may have no IPv6 address
    assert told(closed, access(ADDRESSES[Family.IPV4], ADDRESSES[Family.IPV6]), Family.IPV6) != ""


def test_one_login_that_gets_in_is_enough() -> None:
    admin = {"host": ADDRESSES[Family.IPV4], "port": 2222}
    text = render(presets.web(Family.IPV4, ssh_port=2222))
    assert told(text, access(admin=admin)) == ""


def test_check_refuses_with_the_path_unless_the_lock_out_is_accepted() -> None:
    way = {"bootstrap": {"host": ADDRESSES[Family.IPV4]}}
    news = {"host": "web1", "family": "ipv4", "rules": rules(), "connection": way}
    provider = RulesetProvider()
    (failure,) = provider.check({}, news).failures
    assert failure.property == "rules"
    assert "this would lock you out: nobody can connect to TCP port 22 any more: the policy of INPUT" in failure.reason
    assert "acceptLockout: true" in failure.reason
    assert provider.check({}, {**news, "acceptLockout": True}).failures == []


OFFICE = {Family.IPV4: "203.0.113.0/24", Family.IPV6: "2001:db8:1::/48"}
INSIDE = {Family.IPV4: "203.0.113.7", Family.IPV6: "2001:db8:1::7"}
OUTSIDE = {Family.IPV4: "198.51.100.7", Family.IPV6: "2001:db8:2::7"}


@pytest.mark.parametrize("family", Family)
def test_where_a_run_comes_from_decides_once_it_is_known(family: Family) -> None:
    office = presets.web(family, ssh_sources=(OFFICE[family],))
    assert refusal_of(office, Origin(INSIDE[family], 22)) == ""
    reason = refusal_of(office, Origin(OUTSIDE[family], 22))
    assert reason.startswith(f"nobody can connect from {OUTSIDE[family]} to TCP port 22 any more: rule ")
    assert refusal_of(office, Origin(INSIDE[family], 2222)).startswith("nobody can connect from")
    assert refusal_of(office, Origin(OUTSIDE[{*Family}.difference({family}).pop()], 22)) == ""
    assert refusal_of(office, None) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            rules("-A INPUT -s 198.51.100.0/24 -m state --state ESTABLISHED -j DROP", policy="ACCEPT"),
            "nothing gets through on open connections from 198.51.100.7 to TCP port 22: rule 1 of INPUT",
        ),
        (
            rules("-A OUTPUT -d 198.51.100.0/24 -j REJECT", policy="ACCEPT"),
            "no reply from TCP port 22 gets out to 198.51.100.7: rule 1 of OUTPUT",
        ),
        (rules("-A INPUT -s admin.example.org -j ACCEPT"), ""),
        (rules("-A INPUT -m set --match-set admins src -j ACCEPT"), ""),
    ],
    ids=["open connections", "replies", "a name", "a set"],
)
def test_what_keeps_one_source_out_is_named(text: str, reason: str) -> None:
    told = refusal_of(parse(text, Family.IPV4), Origin("198.51.100.7", 22))
    assert told.startswith(reason) if reason else told == ""


def test_a_preview_refuses_what_keeps_out_where_the_last_run_came_from() -> None:
    olds = {"host": "web1", "family": "ipv4", "rules": render(presets.web(Family.IPV4))}
    office = render(presets.web(Family.IPV4, ssh_sources=(OFFICE[Family.IPV4],)))
    provider = RulesetProvider()
    news = {**olds, "rules": office}
    seen = {"client": OUTSIDE[Family.IPV4], "port": 22.0}
    with pytest.raises(Failure, match=r"lock you out: nobody can connect from 198\.51\.100\.7 to .* rule \d+ of INPUT"):
        provider.diff("", {**olds, "observed": seen}, news)
    assert provider.diff("", {**olds, "observed": seen}, {**news, "acceptLockout": True}).changes
    assert provider.diff("", {**olds, "observed": {**seen, "client": INSIDE[Family.IPV4]}}, news).changes
    assert provider.diff("", {**olds, "observed": {}}, news).changes  # a state from before this was recorded
    assert not provider.diff("", {**news, "observed": seen}, news).changes


def test_once_sshd_has_moved_the_old_port_may_be_closed() -> None:
    """The last run that changed the rules used port 22; now the logins use 2222."""
    provider = RulesetProvider()
    moved = {"admin": {"host": ADDRESSES[Family.IPV4], "port": 2222}, "bootstrap": {"host": ADDRESSES[Family.IPV4]}}
    both, new = (
        rules(*(f"-A INPUT -p tcp -m tcp --dport {port} -j ACCEPT" for port in ports))
        for ports in ((22, 2222), (2222,))
    )
    seen = {"client": "203.0.113.5", "port": 22}
    olds = {"host": "web1", "family": "ipv4", "rules": both, "connection": moved, "observed": seen}
    assert provider.diff("", olds, {**olds, "rules": new}).changes
    with pytest.raises(Failure, match=r"nobody can connect from 203\.0\.113\.5 to TCP port 22 any more"):
        provider.diff("", olds, {**olds, "rules": rules("-A INPUT -p tcp -m tcp --dport 2022 -j ACCEPT")})


def test_the_way_in_is_that_of_the_last_look() -> None:
    """The operator's address has changed: a refresh without drift records that, and nothing else."""
    then, now = (
        RulesetFacts(saved="then", client="203.0.113.5", port=22),
        RulesetFacts(saved="now", client="192.0.2.7", port=22),
    )
    noted = RulesetProvider().noted(then, now)
    assert RulesetFacts.model_validate(noted["observed"]) == then.model_copy(update={"client": "192.0.2.7"})
    assert RulesetProvider().noted(then, then) == {}
    assert RulesetProvider().noted(then, RulesetFacts()) == {}  # run on the host itself

"""What rulesets accept: exposure, default-deny, bounds, verdicts on single packets."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.analysis.reachability import analyse, exposure
from rules.language.parse import parse
from rules.model import Ruleset
from rules.packets.field_sets import FieldSets
from rules.packets.outcomes import Verdict
from rules.packets.packet import Field, Packet
from rules.presets import guide as presets
from rules.values.family import Family
from rules.values.intervals import normal
from tests.unit.rules.strategies import Writer

GUIDE = Path(__file__).parents[1] / "data" / "guide"
V4, V6 = Family.IPV4, Family.IPV6
OUTSIDE = {V4: ("192.0.2.7", "198.51.100.2"), V6: ("2001:db8:9::7", "2001:db8::2")}


def _guide(name: str, family: Family) -> Ruleset:
    return parse((GUIDE / f"{name}.txt").read_text(), family)


def _drop(*rules: str, family: Family = V4) -> Ruleset:
    return parse("\n".join(["-P INPUT DROP", "-P FORWARD DROP", *rules]), family)


def _packet(family: Family = V4, **fields: object) -> Packet:
    return Packet(family, *OUTSIDE[family], **fields)  # type: ignore[arg-type]


# -- the guide


def test_the_guides_ipv4_denies_by_its_last_rule() -> None:
    analysis = analyse(_guide("v4", V4))
    assert analysis.default_deny("INPUT") is True
    assert analysis.default_deny("FORWARD") is True
    assert analysis.exposure() == (
        "tcp/22 from anywhere",
        "tcp/80 from anywhere",
        "tcp/443 from anywhere",
        "icmp/echo-request from anywhere",
    )
    assert analysis.shadowed() == ()
    assert analysis.redundant() == ()


def test_the_guides_ipv6_refuses_neighbour_discovery_and_ssh() -> None:
    printed, preset = analyse(_guide("v6", V6)), analyse(presets.web(V6))
    for kind in (133, 134, 135, 136):
        neighbour = _packet(V6, protocol=58, icmp=(kind, 0), state="UNTRACKED", hops=255)
        decision = printed.refuses(neighbour)
        assert decision is not None
        assert decision.decided_by is not None
        assert str(decision.decided_by.place) == "INPUT 8"
        assert preset.refuses(neighbour) is None
        assert preset.refuses(_packet(V6, protocol=58, icmp=(kind, 0), state="UNTRACKED", hops=64)) is not None
    assert "icmpv6/neighbour-solicitation from anywhere on the link" in preset.exposure()
    assert not [line for line in printed.exposure() if "neighbour" in line or line.startswith("tcp/22")]
    assert printed.default_deny() is preset.default_deny() is True


def test_the_alternative_lets_nothing_in() -> None:
    for ruleset in (_guide("v6-reject", V6), presets.reject_all(V6)):
        assert exposure(ruleset) == ()
        assert analyse(ruleset).default_deny() is True
    loopback = _packet(V6, in_interface="lo")
    assert analyse(_guide("v6-reject", V6)).refuses(loopback) is not None
    assert analyse(presets.reject_all(V6)).refuses(loopback) is None


def test_linodes_sources_are_named() -> None:
    lines = exposure(presets.web(V4, longview=True, nodebalancer=True))
    assert lines[:2] == ("everything from 192.168.255.0/24", "everything from longview.linode.com")


# -- lines


@pytest.mark.parametrize(
    ("rules", "lines"),
    [
        (["-s 198.51.100.0/24 -p tcp --dport 22"], ["tcp/22 from 198.51.100.0/24"]),
        (["-p tcp --dport 6000:6005", "-p tcp --dport 6006:6010"], ["tcp/6000-6010 from anywhere"]),
        (["-p tcp -m multiport --dports 22,80"], ["tcp/22 from anywhere", "tcp/80 from anywhere"]),
        (["-p esp", "-p gre"], ["gre from anywhere", "esp from anywhere"]),
        (["-s 10.0.0.5"], ["everything from 10.0.0.5"]),
        (["-s 10.0.0.5", "-p tcp --dport 22"], ["everything from 10.0.0.5", "tcp/22 from anywhere"]),
        (["! -s 10.0.0.0/8 -p tcp --dport 22"], ["tcp/22 from anywhere but 10.0.0.0/8"]),
        (["-m iprange --src-range 10.0.0.5-10.0.0.20 -p udp"], ["udp from 10.0.0.5-10.0.0.20"]),
        (["-p icmp --icmp-type 8"], ["icmp/echo-request from anywhere"]),
        (["-p icmp --icmp-type 3/4"], ["icmp/fragmentation-needed from anywhere"]),
        (["-p icmp"], ["icmp from anywhere"]),
        (["-s db.example -p tcp --dport 5432"], ["tcp/5432 from db.example"]),
        (["! -p tcp"], ["udp from anywhere", "icmp from anywhere", "other protocols from anywhere"]),
        (["-i lo", "-s 127.0.0.0/8"], []),
        (["-m state --state ESTABLISHED,RELATED"], []),
        (["-m state --state ESTABLISHED,RELATED,NEW -p tcp --dport 25"], ["tcp/25 from anywhere"]),
        (["-p tcp --dport 1:65535"], ["tcp from anywhere"]),
        (["-m limit --limit 1/min -p tcp --dport 22"], ["tcp/22 from anywhere"]),
        (["-p tcp --sport 20"], ["tcp from anywhere"]),
        (["-d 224.0.0.251 -p udp --dport 5353"], ["udp/5353 from anywhere"]),
        (["-m ttl --ttl-eq 255 -p tcp --dport 179"], ["tcp/179 from anywhere on the link"]),
        (
            ["-p tcp --dport 22 -m set --match-set friends src"],
            ["possibly tcp/22 from anywhere (rule 1: -m set --match-set friends src)"],
        ),
    ],
)
def test_exposure(rules: list[str], lines: list[str]) -> None:
    assert list(exposure(_drop(*(f"-A INPUT {rule} -j ACCEPT" for rule in rules)))) == lines


def test_many_exceptions_are_counted() -> None:
    blocked = [f"-A INPUT -s 192.0.2.{number} -j DROP" for number in range(1, 41, 2)]
    assert exposure(_drop(*blocked, "-A INPUT -p tcp --dport 80 -j ACCEPT")) == (
        "tcp/80 from anywhere but 20 addresses in 20 ranges",
    )


def test_several_doubts_about_one_service_are_all_named() -> None:
    rule = "-p tcp --dport 22 -m set --match-set {} src"
    rules = [
        f"-A INPUT -d {net} {rule.format(name)} -j ACCEPT" for name, net in (("b", "8.0.0.0/8"), ("a", "9.0.0.0/8"))
    ]
    matches = "; ".join(f"rule {number}: -m set --match-set {name} src" for number, name in ((1, "b"), (2, "a")))
    assert exposure(_drop(*rules)) == (f"possibly tcp/22 from anywhere ({matches})",)


def _staircase(steps: int) -> Ruleset:
    """Each source reaches fewer ports than the one before."""
    return _drop(*(f"-A INPUT -s 8.0.0.{2 * step} -p tcp --dport :{100 - step} -j ACCEPT" for step in range(steps)))


def test_long_lists_are_counted_service_by_service(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(exposure(_staircase(6))) == 6
    monkeypatch.setattr("rules.analysis.exposure._LISTED", 10)
    assert exposure(_staircase(6)) == (
        "tcp/0-95 from 6 addresses in 6 ranges, the first 8.0.0.0, 8.0.0.2, 8.0.0.4",
        "tcp/96 from 5 addresses in 5 ranges, the first 8.0.0.0, 8.0.0.2, 8.0.0.4",
        "tcp/97 from 4 addresses in 4 ranges, the first 8.0.0.0, 8.0.0.2, 8.0.0.4",
        "tcp/98 from 8.0.0.4",
        "tcp/98-99 from 8.0.0.2",
        "tcp/98-100 from 8.0.0.0",
    )


def test_of_too_many_services_neighbours_share_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.analysis.exposure._LISTED", 10)
    monkeypatch.setattr("rules.analysis.exposure._SERVICES", 2)
    assert exposure(_staircase(6)) == (
        "some of tcp/0-97 from 6 addresses in 6 ranges, the first 8.0.0.0, 8.0.0.2, 8.0.0.4",
        "some of tcp/98-100 from 8.0.0.0",
        "some of tcp/98-100 from 8.0.0.2",
        "some of tcp/98-100 from 8.0.0.4",
    )


@given(numbers_of=st.lists(st.tuples(st.integers(0, 1 << 33), st.integers(0, 1 << 12)), max_size=9))
def test_ranges_are_counted_as_they_are_listed(numbers_of: list[tuple[int, int]]) -> None:
    intervals = normal((first, first + more) for first, more in numbers_of)
    store = analyse(_drop()).store
    sets = FieldSets(store, Field.SOURCE)
    node = store.box({int(Field.SOURCE): intervals}, store.all, store.none)
    assert tuple(sets.ranges(node)) == intervals
    counted = sets.count(node)
    assert (counted.values, counted.ranges) == (sum(last - first + 1 for first, last in intervals), len(intervals))


def test_rules_of_user_chains_are_blamed_by_chain() -> None:
    ruleset = _drop(
        "-N guests", "-A INPUT -j guests", "-A guests -p udp -m mac --mac-source 52:54:00:00:00:01 -j ACCEPT"
    )
    assert exposure(ruleset) == (
        "possibly udp from anywhere (rule 1 of guests: -m mac --mac-source 52:54:00:00:00:01)",
    )


def test_what_a_sure_rule_accepts_is_not_in_doubt() -> None:
    ruleset = _drop("-A INPUT -m set --match-set a src -j ACCEPT", "-A INPUT -p tcp --dport 22 -j ACCEPT")
    assert exposure(ruleset) == (
        "possibly everything from anywhere (rule 1: -m set --match-set a src)",
        "tcp/22 from anywhere",
    )
    assert analyse(ruleset).default_deny() is None
    assert len(analyse(ruleset).unknown_matches()) == 1


def test_not_tracked_packets_are_never_new() -> None:
    rules = ["*raw", "-A PREROUTING -p udp --dport 53 -j CT --notrack", "COMMIT", "*filter", ":INPUT DROP"]
    rule = "-A INPUT -p udp -m state --state {} -j ACCEPT"
    tracked, untracked = (
        exposure(parse("\n".join([*rules, rule.format(state), "COMMIT"]), V4)) for state in ("NEW", "UNTRACKED")
    )
    assert tracked == ("udp/0-52 from anywhere", "udp/54-65535 from anywhere")
    assert untracked == ("udp/53 from anywhere",)


# -- packets that pass no table


def test_an_absent_table_accepts() -> None:
    assert analyse(Ruleset(V4)).default_deny() is False
    assert exposure(Ruleset(V4)) == ("everything from anywhere",)


# -- packets


def test_the_deciding_rule_is_named() -> None:
    ruleset = _drop("-N web", "-A INPUT -p tcp -g web", "-A web -p tcp --dport 80 -j ACCEPT", "-A INPUT -j ACCEPT")
    analysis = analyse(ruleset)
    accepted = analysis.verdict(_packet(port=80))
    assert (accepted.verdict, str(accepted.decided_by and accepted.decided_by.place)) == ("ACCEPT", "web 1")
    refused = analysis.refuses(_packet(port=81))
    assert refused is not None
    assert (refused.verdict, refused.decided_by) == ("DROP", None)
    assert analysis.refuses(_packet(protocol=17)) is None


def test_regions_are_disjoint_and_say_what_they_are() -> None:
    accepted = analyse(_drop("-A INPUT -s 192.0.2.0/24 -p tcp --dport 22 -m state --state NEW -j ACCEPT")).accepted()
    assert accepted.exact
    assert list(map(str, accepted.lower)) == ["tcp, service 22, from 192.0.2.0-192.0.2.255, state NEW, fragment 0"]
    assert _packet(port=22) in accepted.upper
    assert _packet(port=23) not in accepted.upper


@given(seed=st.integers(0, 2**32), size=st.integers(1, 8), family=st.sampled_from(Family))
def test_diagrams_and_the_walk_rule_by_rule_agree(seed: int, size: int, family: Family) -> None:
    analysis = analyse(parse(Writer(family, seed).ruleset(size)[0], family))
    random = Random(seed)
    chains = analysis.part("INPUT").chains.values()
    segments = [analysis.compiler.matching(leaf.predicate) for chain in chains for leaf in chain.leaves]
    for matches in random.choices(
        [one for one in segments if one != analysis.store.none] or [analysis.store.all], k=30
    ):
        digits = analysis.store.some(matches, random)
        rest = iter(digits)
        point = tuple(sum(next(rest) << shift for shift in field.shifts) for field in analysis.store.fields)
        decided = analysis.part("INPUT").decided
        outcome = analysis.compiler.outcome_at(decided, digits)
        verdict = analysis._walker.decide_point(point).verdict
        certain = outcome.cases in ({frozenset([int(one)]) for one in (Verdict.ACCEPT, Verdict.DROP, Verdict.REJECT)})
        if verdict is not None:
            assert outcome.cases == frozenset([int(Verdict[verdict])])
        assert certain or verdict is None


REQUESTED = {Family.IPV4: ("icmp", {8, 13, 15, 17}), Family.IPV6: ("ipv6-icmp", {128, 139})}
"""What opens a connection to conntrack; any other type is part of one, or invalid."""


@pytest.mark.parametrize("family", REQUESTED)
def test_requests_of_icmp_alone_are_new(family: Family) -> None:
    protocol, requested = REQUESTED[family]
    option = "icmp-type" if family is Family.IPV4 else "icmpv6-type"
    for kind in (0, *range(8, 19), *range(127, 132), 138, 139, 140):
        rule = f"-A INPUT -p {protocol} --{option} {kind} -m conntrack --ctstate NEW -j ACCEPT"
        let_in = exposure(parse(f"*filter\n:INPUT DROP\n:FORWARD DROP\n{rule}\nCOMMIT\n", family))
        assert bool(let_in) is (kind in requested), (kind, let_in)

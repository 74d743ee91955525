"""Chains that are too intricate are reported one by one; hundreds of pairs are not. Nodes are counted, not seconds."""

from __future__ import annotations

from random import Random

import pytest

from policies import explain
from rules.analysis.reachability import Analysis, TooIntricateError, analyse
from rules.language.parse import parse
from rules.model import Ruleset
from rules.values.family import Family

V4 = Family.IPV4


def _product(size: int, chain: str = "FORWARD") -> str:
    """Rules that differ in everything at once: they have no compact diagram."""
    random = Random(1)
    lines = [
        "-P INPUT DROP",
        "-P FORWARD DROP",
        "-A INPUT -p tcp --dport 22 -j ACCEPT",
        "-A INPUT -p tcp --dport 22:23 -j ACCEPT",
    ]
    for number in range(size):
        ports = sorted(random.sample(range(1024, 65535), 4))
        source, destination = (f"10.{random.randrange(256)}.0.0/16" for _ in range(2))
        lines.append(
            f"-A {chain} -s {source} -d {destination} -i eth{number} -p tcp "
            f"--dport {ports[0]}:{ports[3]} --sport {ports[1]}:{ports[2]} -j {random.choice(('ACCEPT', 'DROP'))}"
        )
    return "\n".join(lines)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.packets.diagrams.MOST_NODES", 3_000)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("first", ["INPUT", "FORWARD"])
def test_an_intricate_chain_keeps_no_other_answer_back(first: str) -> None:
    analysis = analyse(parse(_product(120), V4))
    for chain in (first, "INPUT", "FORWARD", "INPUT"):
        if chain == "INPUT":
            assert analysis.default_deny("INPUT") is True
            assert analysis.exposure("INPUT") == ("tcp/22-23 from anywhere",)
            continue
        with pytest.raises(TooIntricateError, match=r"^FORWARD: rules \d+ to \d+ of FORWARD overlap in too many ways"):
            analysis.default_deny("FORWARD")
    untold: dict[str, str] = {}
    assert [str(placed.place) for placed in analysis.redundant(untold)] == ["INPUT 1"]
    assert analysis.shadowed(untold) == ()
    assert set(untold) == {"FORWARD"}
    with pytest.raises(TooIntricateError):
        analysis.shadowed()
    alone = analyse(parse(_product(0), V4))
    assert analysis.accepted().exact
    assert list(map(str, analysis.accepted().lower)) == list(map(str, alone.accepted().lower))


@pytest.mark.usefixtures("small")
def test_explain_says_so(capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("rules") / "rules"
    file.write_text(_product(120))
    assert explain.main([str(file)]) == 0
    said = capsys.readouterr().out
    assert "default-deny INPUT: yes" in said
    assert "default-deny FORWARD: not worked out: FORWARD: rules " in said
    assert "    INPUT 1: -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT" in said
    assert explain.main([str(file), "--json"]) == 0
    assert '"not_worked_out": [\n    {\n      "family": "ipv4",\n      "chain": "FORWARD"' in capsys.readouterr().out


def _pairs(kind: str, size: int) -> Ruleset:
    lines = ["-P INPUT DROP"]
    for number in range(size):
        address = f"10.{number // 250}.{number % 250}.7/32"
        match = {
            "MAC and source": f"-s {address} -m mac --mac-source 52:54:00:00:{number >> 8:02x}:{number & 255:02x}",
            "interface and source": f"-s {address} -i tap{number}",
            "port and destination": f"-d {address} -p tcp --dport {number + 1}",
            "interface, source and services": f"-s {address} -i tap{number} -p tcp -m multiport --dports 22,80,443",
        }[kind]
        lines.append(f"-A INPUT {match} -j ACCEPT")
    return parse("\n".join(lines), V4)


@pytest.mark.parametrize(
    "kind",
    ["MAC and source", "interface and source", "port and destination", "interface, source and services"],
)
def test_pairs_grow_with_their_number(kind: str) -> None:
    made = []
    for size in (100, 400):
        analysis: Analysis = analyse(_pairs(kind, size))
        assert analysis.default_deny() is True
        assert analysis.exposure()
        assert analysis.shadowed() == ()
        made.append(len(analysis.store.level))
    assert made[1] < 8 * made[0]


def test_pairs_of_two_kinds_are_no_product() -> None:
    """Guests must use their own address and hardware address, and reach some services: two lists of pairs."""
    made = []
    for size in (50, 200):
        lines = ["-P FORWARD DROP", "-N guests", "-N services", "-A FORWARD -j guests", "-A FORWARD -j services"]
        for number in range(size):
            guest, server = f"10.1.0.{number}/32", f"10.2.0.{number}/32"
            lines.append(f"-A guests -s {guest} -m mac --mac-source 52:54:00:00:00:{number:02x} -j RETURN")
            lines.append(f"-A services -d {server} -p tcp --dport {(22, 80, 443)[number % 3]} -j ACCEPT")
        lines.append("-A guests -j DROP")
        analysis = analyse(parse("\n".join(lines), V4))
        assert analysis.default_deny("FORWARD") is True
        analysis.redundant()
        made.append(len(analysis.store.level))
    assert made[1] < 8 * made[0]


def test_of_many_reasons_some_are_named() -> None:
    lines = [
        f"-A INPUT -s 10.0.{number}.1/32 -m mac --mac-source 52:54:00:00:00:{number:02x} -j ACCEPT"
        for number in range(150)
    ]
    found = analyse(parse("\n".join(["-P INPUT DROP", *lines]), V4)).exposure()
    assert len(found) == 150
    assert found[0].startswith("possibly everything from 10.0.0.1 (rule 1: -m mac")
    assert found[0].endswith("; and 147 more rules)")

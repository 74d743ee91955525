"""The output of iptables-save 1.4 to 1.8 on typical servers (`data/saved`), both read and written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rules.language.parse import parse_saved
from rules.language.render import render
from rules.model import Ruleset
from rules.values.family import Family

SAVED = sorted((Path(__file__).parents[1] / "data" / "saved").iterdir())
# Intended changes by canonical form in text of older versions: implied options are written out.
_CHANGES = (
    (r"(-m recent (?:(?!--mask).)*--name \S+) (--rsource)", r"\1 --mask 255.255.255.255 \2"),
    (r'--comment "([\w-]+)"', r"--comment \1"),
    (r"! --connlimit-above (\d+ --connlimit-mask 32)", r"--connlimit-upto \1 --connlimit-saddr"),
    (r"00:16:3E:AA:BB:CC", "00:16:3e:aa:bb:cc"),
    (r"(-m time (?:(?!--datestop).)*) -j", r"\1 --datestop 2038-01-19T03:14:07 -j"),
)
saved = pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)


def _read(path: Path) -> Ruleset:
    return parse_saved(path.read_text(), Family(path.name.split(".")[-2]))


def _rule_lines(text: str) -> list[str]:
    lines = [re.sub(r"^\[\d+:\d+\] ", "", line) for line in text.splitlines()]
    return sorted(line for line in lines if line.startswith("-A"))


@saved
def test_every_rule_is_rendered_as_it_was_printed(path: Path) -> None:
    text = path.read_text()
    for pattern, replacement in _CHANGES:
        text = re.sub(pattern, replacement, text)
    assert _rule_lines(render(_read(path))) == _rule_lines(text)


@saved
def test_saved_text_is_a_fixed_point(path: Path) -> None:
    ruleset = _read(path)
    assert parse_saved(render(ruleset), ruleset.family) == ruleset
    assert render(parse_saved(render(ruleset), ruleset.family)) == render(ruleset)


@saved
def test_tables_chains_and_policies_are_kept(path: Path) -> None:
    ruleset = _read(path)
    table = ""
    for line in path.read_text().splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            name, policy, _counters = line[1:].split()
            chain = ruleset.chain(table, name)
            assert chain is not None
            assert (chain.policy or "-") == policy


def test_what_is_unknown_is_kept_word_for_word() -> None:
    path = next(path for path in SAVED if path.name.startswith("exotic"))
    ruleset = _read(path)
    opaque = [match for _table, rule in ruleset.rules() for match in rule.matches if match.opaque]
    assert {match.name for match in opaque} >= {"geoip", "futurematch", "conntrack", "state", "policy"}
    targets = [rule.target for _table, rule in ruleset.rules() if rule.target is not None and rule.target.opaque]
    assert [target.name for target in targets] == ["TARPIT", "FUTURETARGET"]
    future = next(match for match in opaque if match.name == "futurematch")
    assert future.tokens == ("--level", '"very high"', "!", "--with", "5", "--flag")
    assert ruleset.table("futuretable") is not None

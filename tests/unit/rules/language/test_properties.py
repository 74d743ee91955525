"""Properties of any ruleset: canonical text is a fixed point, and spelling makes no difference."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import RuleSyntaxError
from rules.language.parse import parse, parse_saved
from rules.language.render import canonical, render
from rules.model import Ruleset
from rules.values.family import Family
from tests.unit.rules.strategies import rulesets, written_rulesets

FAMILIES = st.sampled_from(list(Family))


@given(ruleset=FAMILIES.flatmap(rulesets))
def test_rendering_and_parsing_is_a_fixed_point(ruleset: Ruleset) -> None:
    text = render(ruleset)
    assert parse(text, ruleset.family) == ruleset
    assert render(parse(text, ruleset.family)) == text


@given(drawn=FAMILIES.flatmap(lambda family: st.tuples(st.just(family), written_rulesets(family))))
def test_spelling_makes_no_difference(drawn: tuple[Family, tuple[str, str]]) -> None:
    family, (plain, noisy) = drawn
    assert canonical(noisy, family) == canonical(plain, family)


@given(ruleset=FAMILIES.flatmap(rulesets))
def test_what_the_kernel_prints_is_read_like_what_people_write(ruleset: Ruleset) -> None:
    assert parse_saved(render(ruleset), ruleset.family) == ruleset


_WORDS = """-A INPUT -p tcp udp icmp ! -s 10.0.0.0/8 2001:db8::/32 --dport 22 70000 -m state --state NEW limit
-j ACCEPT X LOG --log-prefix "a 'b -I 9 -D -N -P DROP *nat *filter :X - COMMIT # iptables -t nat
\\ -6 -i lo ip6tables"""
_LINES = st.lists(st.lists(st.sampled_from(_WORDS.split()), max_size=12).map(" ".join), max_size=5).map("\n".join)


def _refusal(text: str, read: Callable[[str, Family], Ruleset], family: Family) -> RuleSyntaxError | None:
    try:
        read(text, family)
    except RuleSyntaxError as error:
        return error
    return None


@settings(max_examples=2 * settings().max_examples)
@given(text=st.one_of(st.text(max_size=80), _LINES), family=FAMILIES)
def test_any_text_is_read_or_refused_with_its_place(text: str, family: Family) -> None:
    for read in (parse, parse_saved):
        error = _refusal(text, read, family)
        if error is not None:
            assert 1 <= error.line <= len(text.splitlines())
            assert 1 <= error.column <= len(error.text) + 1
            assert str(error).endswith("^")

"""Edit scripts: correct, minimal, and fast for long lists."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.plan.edit import SEARCH_LIMIT, Delete, Insert, Replace, apply_edits, edit_script

RULES = st.lists(st.sampled_from("abcd"), max_size=9)


def _distance(old: list[str], new: list[str]) -> int:
    """The Levenshtein distance, by the textbook."""
    row = list(range(len(new) + 1))
    for index, rule in enumerate(old, 1):
        last, row = row, [index]
        for place, wanted in enumerate(new, 1):
            row.append(min(last[place] + 1, row[-1] + 1, last[place - 1] + (rule != wanted)))
    return row[-1]


@settings(max_examples=3 * settings().max_examples)
@given(old=RULES, new=RULES)
def test_a_script_gives_the_new_rules_with_the_fewest_edits(old: list[str], new: list[str]) -> None:
    script = edit_script(old, new)
    assert apply_edits(old, script) == tuple(new)
    assert len(script) == _distance(old, new)


@pytest.mark.parametrize(
    ("old", "new", "script"),
    [
        ("abc", "abc", ()),
        ("abc", "axbc", (Insert(2, "x"),)),
        ("abc", "ac", (Delete(2),)),
        ("abc", "axc", (Replace(2, "x"),)),
        ("", "ab", (Insert(1, "a"), Insert(2, "b"))),
        ("ab", "", (Delete(1), Delete(1))),
        ("abcdef", "xbcdf", (Replace(1, "x"), Delete(5))),
        ("ab", "axy", (Replace(2, "x"), Insert(3, "y"))),
    ],
)
def test_scripts_are_those_a_person_would_type(old: str, new: str, script: tuple[object, ...]) -> None:
    assert edit_script(old, new) == script


def test_rules_that_are_the_same_by_key_are_left_alone() -> None:
    old, new = ["ONE", "TWO"], ["one", "three", "two"]
    assert edit_script(old, new, key=str.lower) == (Insert(2, "three"),)


def test_few_differences_in_many_rules_are_found_at_once() -> None:
    old = [str(number) for number in range(10_000)]
    new = [*old[:5], "new", *old[5:5000], *old[5001:9000], "other", *old[9001:]]
    script = edit_script(old, new)
    assert script == (Insert(6, "new"), Delete(5002), Replace(9001, "other"))


def test_a_rewritten_list_is_right_even_beyond_the_search() -> None:
    old = [f"old {number}" for number in range(3 * SEARCH_LIMIT)]
    new = [f"new {number}" if number % 3 else f"old {number}" for number in range(4 * SEARCH_LIMIT)]
    script = edit_script(old, new)
    assert apply_edits(old, script) == tuple(new)
    assert len(script) < len(new)


@pytest.mark.parametrize("edit", [Delete(3), Delete(0), Replace(3, "x"), Insert(4, "x")])
def test_positions_that_are_not_there_are_refused(edit: Insert[str] | Replace[str] | Delete) -> None:
    with pytest.raises(IndexError):
        apply_edits(["a", "b"], (edit,))

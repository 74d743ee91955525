"""Differences as text."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from local.engine.display.diff import DiffPrinter, changed_keys
from local.engine.display.rows import cut
from local.engine.display.style import Style
from local.engine.state.values import UNKNOWN, PropertyMap, Secret

PRINTER = DiffPrinter(Style(io.StringIO()))


def _diff(old: PropertyMap, new: PropertyMap) -> list[str]:
    return list(PRINTER.difference(old, new, 0))


def test_only_what_differs_is_shown() -> None:
    old: PropertyMap = {"a": "one", "same": 2, "gone": "x", "__provider": "1"}
    new: PropertyMap = {"a": True, "same": 2, "added": {"k": [1]}, "__provider": "2"}
    assert _diff(old, new) == [
        '~ a    : "one" => true',
        "+ added: {",
        "    + k: [",
        "        + [0]: 1",
        "      ]",
        "  }",
        '- gone : "x"',
    ]
    assert changed_keys(old, new) == ["a", "added", "gone"]


def test_a_multi_line_string_is_diffed_by_line() -> None:
    lines = [f"line {number}" for number in range(20)]
    changed = [*lines[:10], "LINE 10", *lines[11:]]
    shown = _diff({"rules": "\n".join(lines)}, {"rules": "\n".join(changed)})
    assert shown == [
        "~ rules:",
        "      ...",
        *(f"      line {number}" for number in (7, 8, 9)),
        "    - line 10",
        "    + LINE 10",
        *(f"      line {number}" for number in (11, 12, 13)),
        "      ...",
    ]


def test_secrets_and_unknown_values_are_named_only() -> None:
    shown = _diff({"s": Secret("one"), "u": "a"}, {"s": Secret("two"), "u": UNKNOWN})
    assert shown == ["~ s: [secret] => [secret]", '~ u: "a" => [unknown]']
    assert "three" not in "".join(PRINTER.whole({"s": {"deep": [Secret("three")]}}, 0))


@given(st.lists(st.text("ab", max_size=2), max_size=12), st.lists(st.text("ab", max_size=2), max_size=12))
def test_the_new_text_can_be_read_off_the_diff(old: list[str], new: list[str]) -> None:
    before, after = "\n".join(["top", *old]), "\n".join(["top", *new])
    if before == after:
        return
    shown = [line[4:] for line in _diff({"t": before}, {"t": after})[1:]]
    removed = [line[2:] for line in shown if line.startswith("-")]
    added = [line[2:] for line in shown if line.startswith("+")]
    assert len(after.splitlines()) - len(before.splitlines()) == len(added) - len(removed)
    assert set(added) <= set(after.splitlines())
    assert set(removed) <= set(before.splitlines())


def test_lines_are_cut_by_what_is_seen() -> None:
    assert cut("\x1b[31mabcdef\x1b[0m", 3) == "\x1b[31mabc\x1b[0m"


def test_elements_of_a_list_come_in_their_order() -> None:
    shown = list(PRINTER.whole({"ports": list(range(102))}, 0))
    assert [line.split(":")[0].strip() for line in shown[1:-1]] == [f"[{number}]" for number in range(102)]
    shown = _diff({"p": list(range(102))}, {"p": [0, *range(101, 202)]})
    assert [line.strip("~ ").split(":")[0].strip() for line in shown[1:-1]] == [f"[{n}]" for n in range(1, 102)]

"""The engine's output never contains terminal control sequences, wherever they came from."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.engine.display.diff import DiffPrinter
from local.engine.display.events import Op, Severity, Step, Violation
from local.engine.display.progress import Display
from local.engine.display.style import Style
from local.engine.state.state import Resource

HOSTILE = [
    "\x1b[2J",
    "\x1b]0;TITLE\x07",
    "\x9b31m",
    "\u202egnp",
    "a\rb",
    "\u200b",
    "\u2028x",
    "\x7f",
    "\udcff",
    "x\n\x1b[A",
]
ANY = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec=None), max_size=20))


def _clean(text: str) -> bool:
    return all(letter in "\n\t" or letter.isprintable() or letter in "\xa0\u3000" for letter in text)


def _resource(urn: str, **inputs: object) -> Resource:
    return Resource(urn=urn, type="a:b:C", id=urn, custom=True, inputs=dict(inputs), outputs=dict(inputs))  # type: ignore[arg-type]


@pytest.mark.parametrize("show_diff", [True, False])
@given(words=st.lists(ANY, min_size=5, max_size=5))
def test_a_terminal_obeys_nothing_of_what_is_shown(show_diff: bool, words: list[str]) -> None:
    name, key, text, message, policy = words
    out = io.StringIO()
    display = Display("up", "p", "s", preview=True, show_diff=show_diff, out=out)
    urn = f"urn:pulumi:s::p::a:b:C::{name}"
    old = _resource(urn, **{f"k{key}": f"x\n{text}", "list": [text], "map": {key: text}})
    new = _resource(urn, **{f"k{key}": f"y\n{text}\nz", "list": [message], "map": {key: message}})
    for step in (Step(Op.CREATE, urn, new=new), Step(Op.UPDATE, urn, old=old, new=new), Step(Op.DELETE, urn, old=old)):
        display.started(step)
        display.finished(step)
    for severity in (Severity.ERROR, Severity.INFO):
        display.log(severity, f"m{message}", urn)
        display.log(severity, f"m{message}")
    display.violation(Violation("pack", "1", policy, urn, message, text, mandatory=True))
    display.outputs("urn:pulumi:s::p::pulumi:pulumi:Stack::p-s", {key: text}, {key: message})
    display.close(["pack@v1"])
    assert _clean(out.getvalue())


def test_lines_of_a_text_are_those_of_the_file() -> None:
    """Python's other line boundaries would otherwise start a new line."""
    printer = DiffPrinter(Style(io.StringIO()))
    shown = list(printer.difference({"t": "a\nb\n"}, {"t": "a\nb\x0bPermitRootLogin no\x85\n"}, 0))
    assert [line for line in shown if "PermitRootLogin" in line] == ["    + b\\x0bPermitRootLogin no\\x85"]

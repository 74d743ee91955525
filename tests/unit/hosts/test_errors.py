"""Messages contain no secrets and no terminal control sequences, and are of readable length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.errors import CommandFailed, HostError, NotUnderstood, understanding
from hosts.text.masking import printable, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("a\x00b\tc\n", "a\\x00b\tc\n"),
        ("b\udcff", "b\\xff"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\x9b31m", "\\x9b31m"),
        ("café \u65e5\u672c", "café \u65e5\u672c"),
    ],
)
def test_a_terminal_obeys_nothing_of_a_host(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert str(CommandFailed(stderr_tail=text.strip(), host="web1")) == f"web1: exit status 1: {shown.strip()}"


@given(st.text(alphabet=st.characters(codec=None)))
def test_what_is_told_is_printable_and_text(text: str) -> None:
    assert all(one.isprintable() or one in "\n\t\xa0\u3000" for one in printable(text))
    printable(text).encode()


def test_of_a_flood_both_ends_are_told() -> None:
    shown = shortened("begin " + "\x1b" * 10**6 + " end")
    assert shown.startswith("begin ")
    assert shown.endswith(" end")
    assert len(shown) < 10_000


def test_an_answer_that_does_not_fit_is_told_without_its_text() -> None:
    with pytest.raises(HostError) as caught, understanding("web1", "firewall ipv4", "read the rules"):
        int("hunter2")
    assert isinstance(caught.value, NotUnderstood)
    assert str(caught.value).startswith("web1: firewall ipv4: read the rules: the host's output cannot be parsed")
    assert "hunter2" not in str(caught.value)

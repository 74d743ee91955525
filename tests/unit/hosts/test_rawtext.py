"""Bytes as text and back."""

import json

from hypothesis import given
from hypothesis import strategies as st

from hosts.text.rawtext import to_bytes, to_text

PIECES = [b"\xef\xbf\xbd", b"E9", b"EF", b"\xe9", b"\xc3\xa9", b"\xff", b"4", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\0"]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=4))).map(b"".join))
def test_every_byte_comes_back_out_of_text_that_anything_can_hold(raw: bytes) -> None:
    text = to_text(raw)
    assert to_bytes(text) == raw
    assert json.loads(json.dumps(text).encode("utf-8")) == text
    text.encode("utf-8")


@given(st.text(st.characters(exclude_characters="\ufffd", exclude_categories=["Cs"])))
def test_text_stays_as_it_is(text: str) -> None:
    assert to_text(text.encode("utf-8")) == text
    assert to_bytes(text) == text.encode("utf-8")


def test_it_can_be_read() -> None:
    assert to_text(b"caf\xe9 \xc3\xa9") == "caf\ufffdE9 é"
    assert to_text("50\ufffd or more".encode()) == "50\ufffd or more"

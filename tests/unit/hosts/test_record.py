"""The record of a prior state: byte for byte what was observed, whatever is in the files."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hosts.guard import record
from hosts.guard.record import remember, replayed
from hosts.shell import Answer, Script
from hosts.text.rawtext import to_bytes
from tests.unit.hosts.test_shell import one

OBSERVE = Script("observe", 'section keys cat "$keys"; begin meta; printf "%s\\n" 600; end; echo free')
FORGED = b"\nx E\nx B meta\n4755\nx E\n"


def kept(top: Path, keys: Path) -> Answer:
    """What `remember` prints on a host whose records are in `top`."""
    script = remember("users deploy", replace(OBSERVE, values={"keys": str(keys)}))
    return one(replace(script, body=script.body.replace(record.TOP, str(top))))


def _forged(nonce: bytes) -> bytes:
    return FORGED.replace(b"x", nonce)


@pytest.mark.parametrize("mark", [b"5d0c6f0e1f5b4c7e9a3b2d8f7c6e5a41", b"$NONCE", b"$record_mark", b"0" * 32, b""])
def test_what_looks_like_a_mark_is_content(tmp_path: Path, mark: bytes) -> None:
    keys = tmp_path / "keys"
    keys.write_bytes(_forged(mark))
    for _ in range(2):  # made, then read again
        found = replayed(kept(tmp_path / "top", keys))
        assert dict(found.sections) == {"keys": _forged(mark).decode(), "meta": "600\n"}
        assert found.stdout == "free\n"


def test_the_marks_of_earlier_records_are_of_no_use(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("one\n")
    kept(tmp_path / "first", keys)
    [file] = (tmp_path / "first/prior").iterdir()
    keys.write_bytes(_forged(file.read_bytes().split(b"\n")[0]))
    found = replayed(kept(tmp_path / "second", keys))
    assert dict(found.sections) == {"keys": keys.read_text(), "meta": "600\n"}


def test_a_look_may_end_early(tmp_path: Path) -> None:
    look = Script("observe", "begin tool; echo none; end; exit 0; echo on")
    script = remember("listeners", look)
    found = replayed(one(replace(script, body=script.body.replace(record.TOP, str(tmp_path / "top")))))
    assert (dict(found.sections), found.stdout) == ({"tool": "none\n"}, "")


@settings(max_examples=20, deadline=None)
@given(content=st.binary())
def test_any_bytes_come_back(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("record")
    (folder / "keys").write_bytes(content)
    found = replayed(kept(folder / "top", folder / "keys"))
    assert to_bytes(found.sections["keys"]) == content


@pytest.mark.parametrize("damage", [lambda text: text[:-10], lambda _: b"nothing\n", lambda text: text[33:]])
def test_a_damaged_record_is_told(tmp_path: Path, damage: "object") -> None:
    (tmp_path / "keys").write_text("one\n")
    kept(tmp_path / "top", tmp_path / "keys")
    [file] = (tmp_path / "top/prior").iterdir()
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises((ValueError, KeyError)):
        replayed(kept(tmp_path / "top", tmp_path / "keys"))

"""bench.startup leaves measures out by editing copies of files: their text must still be there."""

from pathlib import Path

import pytest

from bench.startup import MEASURES, Edit

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "edit", [edit for edits in MEASURES.values() for edit in edits], ids=lambda edit: edit.text[:50]
)
def test_the_text_that_is_left_out_is_there(edit: Edit) -> None:
    assert edit.text in (ROOT / edit.file).read_text("utf-8")

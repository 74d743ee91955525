"""bench.startup leaves measures out by editing copies of files: their text must still be there."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.startup import MEASURES, Edit

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "edit", [edit for edits in MEASURES.values() for edit in edits], ids=lambda edit: edit.text[:50]
)
def test_the_text_that_is_left_out_is_there(edit: Edit) -> None:
    assert edit.text in (ROOT / edit.file).read_text("utf-8")


def test_the_provider_loads_nothing_for_rare_questions() -> None:
    """What reads paths through all tables takes 20 ms to import; a refresh needs it only if others publish ports."""
    code = "import sys, provider.loaded; print(*(name for name in sys.modules if name.startswith('rules.path')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

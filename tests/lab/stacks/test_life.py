"""A few random steps in a stack's life: `make test-life` is the long form (docs/reliability.md)."""

from pathlib import Path

import pytest

from local.lab.api import Lab
from tests.life.life import Life, engines

CHAPTERS = ("firewall", "sshd", "deploy", "guest")
STEPS = 8


@pytest.mark.parametrize("engine", engines()[-1:])
def test_what_a_run_says_is_so(lab: Lab, tmp_path: Path, engine: str) -> None:
    names = ["days1", "days2", "days3"]
    try:
        life = Life(lab, lab.up(names), tmp_path / "life", seed=396, engine=engine, chapters=CHAPTERS)
        life.live(STEPS)
    finally:
        lab.down(names)
    assert life.figures.findings == []
    assert life.figures.successes["up"] > 0
    assert life.figures.looks > STEPS / 2

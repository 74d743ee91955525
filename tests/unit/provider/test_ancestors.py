"""What an engine's process tells about its run."""

import os
from pathlib import Path

import pytest

from provider import ancestors

DEFAULT = 4 * (os.cpu_count() or 0)


@pytest.mark.parametrize(
    ("line", "limit"),
    [
        ("pulumi destroy --yes", DEFAULT),
        ("pulumi destroy --yes --parallel 3", 3),
        ("pulumi destroy --parallel=3 --yes", 3),
        ("pulumi destroy -p 3", 3),
        ("pulumi destroy -p3", 3),
        ("pulumi destroy --parallel 3 --target urn:1", 0),
        ("pulumi destroy --exclude=urn:1", 0),
        ("pulumi up -t urn:1", 0),
        ("pulumi up --policy-pack 3", DEFAULT),
        ("pulumi up -m use~-p~2~with~care", DEFAULT),
    ],
)
def test_how_much_the_engine_does_at_once(
    line: str, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cmdline"
    file.write_text(line.replace(" ", "\0").replace("~", " ") + "\0")
    monkeypatch.delenv("PULUMI_PARALLEL", raising=False)
    monkeypatch.setattr(ancestors, "Path", lambda _name: file)
    monkeypatch.setattr(ancestors, "engine_process", lambda: 1)
    assert ancestors.at_once() == limit


def test_an_engine_may_say_it_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_PARALLEL", "5")
    monkeypatch.setattr(ancestors, "engine_process", lambda: 0)  # there is no such process
    assert ancestors.at_once() == 5

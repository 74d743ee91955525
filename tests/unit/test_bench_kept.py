"""A series of measurements in several runs."""

from pathlib import Path

from bench.kept import Kept
from bench.series import Sample


def _sample(tool: str, hosts: int, wall: float) -> Sample:
    return Sample(tool, hosts, "first apply", wall, cpu=1, memory=1, looked=hosts)


def test_only_what_is_measured_anew_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "samples.json"
    first = Kept()
    first.begin("one", {"raw": "OpenSSH 9", "stockade": "abc"})
    first.samples = [_sample("raw", 1, 10), _sample("raw", 8, 60), _sample("stockade", 8, 70)]
    first.write(file)
    again = Kept.read(file, ["stockade"], [8, 16])
    again.begin("two", {"stockade": "def"})
    assert again.samples == first.samples[:2]
    assert again.commands == ["one", "two"]
    assert again.versions == {"raw": "OpenSSH 9", "stockade": "abc and def"}
    assert Kept.read(file, ["raw", "stockade"], [1, 8]) == Kept.read(tmp_path / "none", [], []) == Kept()

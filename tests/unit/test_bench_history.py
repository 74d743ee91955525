"""Published results over time: ratios to the raw script, and their chart."""

from pathlib import Path
from xml.etree import ElementTree

from bench.history import Entry, add, draw, ratios
from bench.series import Sample


def sample(tool: str, phase: str, wall: float, fault: str = "", hosts: int = 1) -> Sample:
    return Sample(tool, hosts, phase, wall, 0.1, 1, None, fault)


def test_ratios_are_medians_of_verified_runs_by_those_of_the_raw_script() -> None:
    found = ratios(
        [
            sample("raw", "first apply", 10),
            sample("raw", "nothing to do", 0.5),
            sample("stockade", "first apply", 12),
            sample("stockade", "first apply", 14),
            sample("stockade", "first apply", 1, fault="a port is open"),
            sample("stockade", "drift check", 2),
            sample("stockade", "one rule changed", 2),
            sample("pyinfra", "first apply", 11),
        ]
    )
    assert found == {"stockade, first apply, 1 host": 1.3, "stockade, drift check, 1 host": 4.0}


def test_entries_are_appended_and_drawn(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    first = Entry("2026-11-28", "abc1234", "2 cores", {"stockade, drift check, 1 host": 4.0, "gone": 2.0})
    second = Entry("2026-12-01", "def5678", "2 cores", {"stockade, drift check, 1 host": 3.0})
    add(first, file)
    entries = add(second, file)
    assert entries == [first, second]
    root = ElementTree.fromstring(draw(entries))
    polylines = [one.attrib["points"].split() for one in root if one.tag.endswith("polyline")]
    assert [len(points) for points in polylines] == [2, 1]
    heights = [float(point.partition(",")[2]) for point in polylines[0]]
    assert heights[0] < heights[1], "less is further down"

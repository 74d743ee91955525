"""What runs cost the controller and the hosts, beside the raw script, and the goals."""

from dataclasses import replace

from bench.costs.counters import Counters, cpu_seconds
from bench.costs.goals import goals
from bench.costs.tables import table
from bench.series import Sample

RAW = Sample("raw", 8, "first apply", 60.0, 0.8, 1, None, host_cpu=120.0, processes=8000, connections=8, traffic=80_000)
OURS = replace(RAW, tool="stockade", wall=75.0, cpu=4.0, host_cpu=144.0, processes=12_000, connections=48)
OTHER = replace(RAW, tool="pyinfra", wall=70.0)


def test_costs_are_per_host_and_beside_those_of_the_raw_script() -> None:
    lines = table([RAW, OURS], 8).splitlines()
    assert lines[0] == "| per host | raw | stockade |"
    assert "| first apply: controller's CPU seconds | 0.1 | 0.5 |" in lines
    assert "| first apply: host's CPU seconds | 15 | 18 (+3) |" in lines
    assert "| first apply: processes and threads on the host | 1000 | 1500 (+500) |" in lines
    assert "| first apply: connections | 1 | 6 |" in lines
    assert "| first apply: kB sent and received | 10 | 10 |" in lines


def test_a_drift_check_is_beside_the_raw_script_with_nothing_to_do() -> None:
    again, look = replace(RAW, phase="nothing to do", host_cpu=8.0), replace(OURS, phase="drift check", host_cpu=12.0)
    assert "| drift check: host's CPU seconds | - | 1.5 (+0.5) |" in table([again, look], 8).splitlines()


def test_a_goal_stands_as_reached_or_not_and_only_if_it_was_measured() -> None:
    lines = goals([RAW, OURS, OTHER, replace(OURS, wall=1.0, fault="a port is open")]).splitlines()[2:]
    assert lines == [
        "| first apply, by the raw script's time | 8 | 1.2 | 1.25 | not reached |",
        "| first apply, by the time of the fastest other tool | 8 | 1 | 1.07 | not reached |",
        "| first apply: host's CPU seconds beyond the raw script's | 8 | 2 | 3 | not reached |",
        "| first apply: controller's CPU seconds per host | 8 | 0.35 | 0.5 | not reached |",
    ]
    assert "| 1.2 | 1.2 | reached |" in goals([RAW, replace(OURS, wall=72.0)])


def test_counters_are_differences() -> None:
    assert Counters(3.0, 30, 3, 300) - Counters(1.0, 10, 1, 100) + Counters(cpu=1.0) == Counters(3.0, 20, 2, 200)
    assert cpu_seconds("usage_usec 2500000\nuser_usec 1\n") == 2.5

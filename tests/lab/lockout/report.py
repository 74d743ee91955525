"""The table of results: a plugin of pytest (`-p tests.lab.lockout.report`) that writes `docs/lockout-tests.md` when
all faults were tried, by however many workers."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.lockout.login_faults import FAULTS

DOCUMENT = Path(__file__).parents[3] / "docs" / "lockout-tests.md"

_HEAD = """\
# Lock-out tests

Written by `make test-faults`; do not edit. Each row is one fault on a real lab host while a ruleset is changed that
denies by default (or, where the row says so, sshd's settings or the admin's own account), and somebody logs in every
second over a new connection of their own. *Lost*: for how many seconds that did not work, the network's or the host's
own absence left out. *Limit*: `confirmWithin`. *In force*: what was before the change or what is after it, in the
kernel or the running sshd, and at the next boot. *State*: whether the state file says the same, without a refresh.
*Next up*: whether it finished the work, with nothing left to do.

| Fault | Lost | Limit | In force | State | Next up |
|---|--:|--:|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """What came of one fault."""

    fault: str
    lost: float
    limit: int
    in_force: str
    state: bool
    healed: bool


def write(rows: list[Row]) -> None:
    """Write the table; `rows` in the order of the faults."""
    lines = [
        f"| {row.fault} | {row.lost:.0f} s | {row.limit} s | {row.in_force} | "
        f"{'agrees' if row.state else 'DIFFERS'} | {'done' if row.healed else 'NOT done'} |\n"
        for row in rows
    ]
    DOCUMENT.write_text(_HEAD + "".join(lines))


_rows: dict[str, Row] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather the results, those of other processes too."""
    for name, value in report.user_properties:
        if name == "fault" and report.when == "call":
            row = Row(**value)
            _rows[row.fault] = row


def pytest_sessionfinish() -> None:
    """Write the table, unless a fault is missing: a run that was broken off, or a part."""
    if all(fault.name in _rows for fault in FAULTS):
        write([_rows[fault.name] for fault in FAULTS])

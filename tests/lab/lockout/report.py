"""The table of results: a pytest plugin (`-p tests.lab.lockout.report`) that writes `docs/lockout-tests.md` from any
number of workers, and any number of runs on the same code."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab.lockout.login_faults import FAULTS

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "lockout-tests.md"
UNDER_TEST = ("components", "hosts", "rules", "tests/lab/lockout")
KEPT = "lockout"
"""Key of earlier runs' results in pytest's cache."""
FAULT, TRAFFIC = "fault", "traffic"
"""Names of the properties in which tests report a `Row` and a `Flow`."""

_HEAD = """\
# Lock-out tests

Written by `make test-faults`; do not edit. Each row is one fault, injected on a real lab host while a default-deny
ruleset is changed (or, where the row says so, sshd's settings or the admin's own account) and somebody logs in every
second over a new connection. *Lost*: for how many seconds these logins failed, not counting the time during which the
network or the host itself was down. *Limit*: `confirmWithin`. *In force*: whether the settings from before or after
the change are in force, in the kernel or the running sshd and at the next boot. *State*: whether the state file agrees,
without a refresh. *Next up*: whether it finished the work, with nothing left to do.

| Fault | Lost | Limit | In force | State | Next up |
|---|--:|--:|---|---|---|
"""
_FLOWS = """
## Open connections

Each connection sends a line of 4 KB every 50 ms and gets every line back. *Broken*: the connection ended, or a byte was
lost or changed. *Longest silence*: the longest time between two lines on one connection.

| Meanwhile | Connections | Received | Broken | Longest silence |
|---|--:|--:|--:|--:|
"""


@dataclass(frozen=True)
class Row:
    """The result of one fault."""

    fault: str
    lost: float
    limit: int
    in_force: str
    state: bool
    healed: bool


@dataclass(frozen=True)
class Flow:
    """The result for open connections."""

    meanwhile: str
    connections: int
    received: int
    broken: int
    silence: float


_MISSING = """
## Not tried

No result, or a failed one, on the code of this table; `make test-faults PART=...` adds to it:
"""


def text(rows: list[Row], flows: list[Flow], missing: list[str]) -> str:
    """The document; `rows` in the order of the faults, `missing` the names of those without a result."""
    faults = [
        f"| {row.fault} | {row.lost:.0f} s | {row.limit} s | {row.in_force} | "
        f"{'agrees' if row.state else 'DIFFERS'} | {'done' if row.healed else 'NOT done'} |\n"
        for row in rows
    ]
    carried = [
        f"| {flow.meanwhile} | {flow.connections} | {flow.received / 1e6:.1f} MB | {flow.broken} | "
        f"{flow.silence:.2f} s |\n"
        for flow in flows
    ]
    untried = [_MISSING, "\n", *(f"- {name}\n" for name in missing)] if missing else []
    return "".join([_HEAD, *faults, *([_FLOWS, *carried] if flows else []), *untried])


class _Results:
    """The results of this run, added to those of earlier ones on the same code."""

    def __init__(self, cache: Any, code: str) -> None:
        self._cache, self._code = cache, code
        kept = cache.get(KEPT, {})
        same = kept if kept.get("code") == code else {}
        self.found: dict[str, dict[str, dict[str, Any]]] = {kind: dict(same.get(kind, {})) for kind in (FAULT, TRAFFIC)}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather the results, including those of other processes; a test that fails has none."""
        if report.when != "call":
            return
        for kind, value in report.user_properties:
            if kind in self.found and isinstance(value, dict):
                name = str(value.get("fault") or value.get("meanwhile"))
                if report.passed:
                    self.found[kind][name] = value
                else:
                    self.found[kind].pop(name, None)

    def pytest_sessionfinish(self) -> None:
        """Write the document, with missing results listed."""
        self._cache.set(KEPT, {"code": self._code, **self.found})
        faults = self.found[FAULT]
        rows = [Row(**faults[fault.name]) for fault in FAULTS if fault.name in faults]
        missing = [fault.name for fault in FAULTS if fault.name not in faults]
        DOCUMENT.write_text(text(rows, [Flow(**flow) for flow in self.found[TRAFFIC].values()], missing))


def pytest_configure(config: pytest.Config) -> None:
    """Gather results in the process that controls the workers, or in the only one."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Results(config.cache, _code()))


def _code() -> str:
    """An identification of the tested code: git's tree ids and uncommitted changes."""
    trees = [f"HEAD:{folder}" for folder in UNDER_TEST]
    asked = (["git", "rev-parse", *trees], ["git", "diff", "HEAD", "--", *UNDER_TEST])
    return "\n".join(
        subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout for argv in asked
    )

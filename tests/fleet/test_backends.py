"""States shared by machines: on PostgreSQL, on which the CLI can wait for itself forever, and on object storage."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .backends import object_storage, postgres, postgres_programs
from .conftest import LIMIT, Fleet, make

pytestmark = pytest.mark.skipif(shutil.which("pulumi") is None, reason="pulumi is not on PATH")
SHARDS = 6
"""More stacks than the CLI can list at once on PostgreSQL with two cores."""


@pytest.fixture(params=["PostgreSQL", "S3"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a backend."""
    if request.param == "S3":
        with object_storage() as url:
            yield url
        return
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with postgres(programs) as url:
        yield url


def _shared(folder: Path, url: str) -> Fleet:
    fleet = make(folder, "pulumi")
    fleet.environment |= {"PULUMI_BACKEND_URL": url, "AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "own"}
    return fleet


def test_a_fleet_on_a_backend_that_machines_share(tmp_path: Path, backend: str) -> None:
    fleet = _shared(tmp_path / "items", backend)
    hosts = [f"web{number}" for number in range(1, SHARDS + 1)]
    fleet.declare_hosts(*hosts, shards=SHARDS)
    stacks = {host: f"production-{number:02}" for number, host in enumerate(hosts, 1)}
    items = {host: {"type": "host", "stacks": [stacks[host]]} for host in hosts}
    rules = {f"{host}-rules": {"options": {"parent": host}, "stacks": [stacks[host]]} for host in hosts[:1]}
    fleet.spec(**items, **rules)
    first = fleet.run("up", "--only", "1,2", "--limit", "120")
    assert (first.status, "2 stacks: 2 done; " in first.out) == (0, True), first
    for number in range(3, SHARDS + 1):
        init = ["pulumi", "stack", "init", "--no-select", f"production-{number:02}", "--cwd", str(fleet.folder)]
        subprocess.run(init, env=fleet.environment, check=True, capture_output=True, timeout=LIMIT)

    other = _shared(tmp_path / "other" / "items", backend)
    for file in ("Pulumi.production.yaml", "spec.json"):
        shutil.copy(fleet.folder / file, other.folder)
    again = other.run("preview", "--only", "1,2", "--limit", "120")
    assert (again.status, "2 stacks: 2 done; no changes; " in again.out) == (0, True), again

    other.declare_hosts(*hosts[:1], shards=1)
    other.spec(web1=items["web1"], **rules)
    refused = other.run("up", "--limit", "120")
    assert refused.status == 2, refused
    assert "  production-02: web2, which no list names any more" in refused.err
    gone = fleet.run("destroy", "--only", "1", "--limit", "120")
    assert (gone.status, "1 stack: 1 done; 3 deleted" in gone.out) == (0, True), gone

"""A run is killed while it takes a renamed host over, chapter by chapter, and then everything is destroyed: it is
undone, in an order in which Stockade can always log in."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.killed.test_pending import Gate, killed
from tests.lab.stack import Stack
from tests.lab.stacks.test_ownership import ENGINES, Fleet, nothing_left, prepare


@pytest.fixture(scope="module")
def machine(bring_up: Callable[[str], LabHost]) -> LabHost:
    host = bring_up("pend3")
    prepare(host)
    return host


@pytest.fixture
def host(machine: LabHost) -> Iterator[LabHost]:
    yield machine
    if not nothing_left(machine):
        prepare(machine)


@pytest.fixture(params=ENGINES)
def fleet(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path, new_stack: Callable[..., Stack]) -> Fleet:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    return Fleet(request.param, tmp_path / "key", new_stack, lab)


@pytest.mark.parametrize("chapter", ["user", "firewall", "sshd"])
def test_a_host_that_was_being_renamed_is_destroyed(fleet: Fleet, host: LabHost, chapter: str) -> None:
    stack = fleet.stack(alpha=fleet.entry(host))
    stack.up()
    fleet.declare(stack, beta=fleet.entry(host))
    gate: Gate = {"mv": (f"* /var/lib/stockade/owner/{chapter}*",)}
    killed(stack, gate, host)
    stack.destroy()
    assert not fleet.hardened(host)
    assert nothing_left(host)

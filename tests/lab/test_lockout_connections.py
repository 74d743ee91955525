"""Connections that are open carry on through a firewall change: no byte lost, no second of silence."""

import os
from collections.abc import Callable

import pytest

from local.lab.api import LabHost
from tests.lab.lockout.scene import PROGRAM, Scene, with_port
from tests.lab.lockout.traffic import Traffic, echo
from tests.lab.stack import Stack

ALL = os.environ.get("STOCKADE_FAULTS") == "all"
PACKAGES = "DEBIAN_FRONTEND=noninteractive apt-get install -qy iptables-persistent </dev/null"


@pytest.fixture
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    host = bring_up(f"flow-{os.environ.get('PYTEST_XDIST_WORKER', '1')}")
    host.exec(PACKAGES)
    echo(host, 443, 9000)
    return host


@pytest.fixture
def scene(host: LabHost, new_stack: Callable[..., Stack]) -> Scene:
    return Scene(host, new_stack(host, program=PROGRAM), limit=30)


def test_twenty_connections_carry_on_when_everything_else_is_denied(scene: Scene) -> None:
    scene.declare(scene.after)
    ports = [443] * 10 + [9000] * 10  # 9000 is closed to new ones from now on
    with Traffic(scene.host, *ports) as traffic:
        scene.stack.up()
        traffic.await_lines(20)
    assert traffic.broken == []
    assert traffic.longest_gap < 1
    assert scene.in_force() == "after"


@pytest.mark.skipif(not ALL, reason="takes minutes: make test-faults")
def test_a_transfer_carries_on_through_fifty_updates(scene: Scene) -> None:
    scene.begin()
    with Traffic(scene.host, 443) as traffic:
        for number in range(50):
            scene.declare(with_port(10_000 + number))
            scene.stack.up()
        traffic.await_lines(20)
    assert traffic.broken == []
    assert traffic.longest_gap < 1
    assert "--dport 10049" in scene.host.iptables_save()

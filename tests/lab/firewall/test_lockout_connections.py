"""Open connections survive a firewall change without a lost byte or a second of silence."""

import os
from collections.abc import Callable
from dataclasses import asdict

import pytest

from local.lab.api import LabHost
from tests.lab.lockout.report import TRAFFIC, Flow
from tests.lab.lockout.scene import FirewallScene, with_port
from tests.lab.lockout.traffic import LINE, Traffic, echo
from tests.lab.stack import Stack

UPDATES = 50 if os.environ.get("STOCKADE_FAULTS") == "all" else 5


@pytest.fixture
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    host = bring_up(f"flow-{os.environ.get('PYTEST_XDIST_WORKER', '1')}")
    host.exec(FirewallScene.made_by)
    echo(host, 443, 9000)
    return host


@pytest.fixture
def scene(host: LabHost, new_stack: Callable[..., Stack]) -> FirewallScene:
    return FirewallScene(host, new_stack(host, program=FirewallScene.program), limit=30)


@pytest.fixture
def record(record_property: Callable[[str, object], None]) -> Callable[[str, int, Traffic], None]:
    def hand_in(meanwhile: str, connections: int, traffic: Traffic) -> None:
        flow = Flow(meanwhile, connections, traffic.received, len(traffic.broken), round(traffic.longest_gap, 2))
        record_property(TRAFFIC, asdict(flow))

    return hand_in


def test_twenty_connections_carry_on_when_everything_else_is_denied(
    scene: FirewallScene, record: Callable[[str, int, Traffic], None]
) -> None:
    scene.declare(scene.after)
    ports = [443] * 10 + [9000] * 10  # 9000 is now closed to new ones
    with Traffic(scene.host, *ports) as traffic:
        scene.stack.up()
        traffic.await_lines(20)
    record("the first ruleset, which denies by default, is applied", len(ports), traffic)
    assert traffic.broken == []
    assert traffic.longest_gap < 1
    assert scene.in_force() == "after"


def test_a_transfer_carries_on_through_many_updates(
    scene: FirewallScene, record: Callable[[str, int, Traffic], None]
) -> None:
    scene.declare(scene.after)
    scene.stack.up()
    with Traffic(scene.host, 443) as traffic:
        for number in range(UPDATES):
            scene.declare(with_port(10_000 + number))
            scene.stack.up()
        traffic.await_lines(20)
    record(f"the ruleset is changed {UPDATES} times", 1, traffic)
    assert traffic.broken == []
    assert traffic.longest_gap < 1
    assert f"--dport {10_000 + UPDATES - 1} " in scene.host.iptables_save()
    assert traffic.received > UPDATES * 20 * LINE

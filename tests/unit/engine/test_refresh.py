"""The resources that a refresh reads together."""

import threading
from typing import Any

from local.engine.display.events import Step
from local.engine.run.refresh import Refresher, together
from local.engine.run.removal import Remover
from local.engine.state.ledger import StateJournal
from local.engine.state.state import STACK_TYPE, Resource, Snapshot


def resource(urn: str, parent: str = "", type_: str = "t:m:T", custom: bool = True) -> Resource:
    return Resource(urn=urn, custom=custom, type=type_, parent=parent)


def test_parts_of_a_component_are_read_together_and_others_alone() -> None:
    stack = resource("stack", type_=STACK_TYPE, custom=False)
    hosts = [resource(name, "stack", custom=False) for name in ("web1", "web2")]
    firewall = resource("web1 firewall", "web1", custom=False)
    rules = [resource("web1 ipv4", "web1 firewall"), resource("web1 ipv6", "web1 firewall")]
    packages = [resource("web1 packages", "web1"), resource("web2 packages", "web2")]
    pair = resource("key pair", "stack")
    readable = [pair, *packages, *rules]
    families = together(readable, [stack, pair, *hosts, firewall, *packages, *rules])
    assert families == [[pair], [packages[0], *rules], [packages[1]]]


class Provider:
    """Counts the components that are read at the same time; blocks each until the limit is reached."""

    def __init__(self, together: int) -> None:
        self._barrier = threading.Barrier(together)
        self._lock = threading.Lock()
        self._reading: list[str] = []
        self.most = 0

    def read(self, old: Resource) -> tuple[str, dict[str, Any], None]:
        with self._lock:
            self._reading.append(old.parent)
            self.most = max(self.most, len(set(self._reading)))
        if old.urn.endswith("packages"):
            self._barrier.wait(20)
        with self._lock:
            self._reading.remove(old.parent)
        return old.id, old.outputs, None


class Providers:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def get(self, _reference: str) -> Provider:
        return self._provider


class Silent:
    def started(self, step: Step) -> None: ...
    def finished(self, step: Step, failed: bool = False) -> None: ...


def test_as_many_components_are_read_at_once_as_parallel_says() -> None:
    hosts = [resource(f"web{number}", custom=False) for number in range(9)]
    parts = [resource(f"{host.urn} {name}", host.urn) for host in hosts for name in ("packages", "sshd")]
    parts = [part.changed(id="x") for part in parts]
    snapshot = Snapshot((*hosts, *parts))
    provider: Any = Provider(3)
    providers: Any = Providers(provider)
    sink: Any = Silent()
    ledger = StateJournal(snapshot)
    remover = Remover(preview=True, parallel=3, ledger=ledger, providers=providers, sink=sink)
    Refresher(ledger, providers, remover, sink, 3).refresh(snapshot)
    assert provider.most == 3

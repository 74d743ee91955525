"""The providers of one run: their resources in the state and their processes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from local.engine.display.events import Op, Severity, Sink, Step
from local.engine.errors import EngineError
from local.engine.processes.answers import ProviderError
from local.engine.processes.launch import DYNAMIC, Launcher
from local.engine.processes.plugins import Provider
from local.engine.run.goals import Goal, make_urn
from local.engine.state.ledger import StateJournal
from local.engine.state.project import Config
from local.engine.state.state import PROVIDER_PREFIX, Resource, now
from local.engine.state.values import UNKNOWN_TEXT, PropertyMap, Secret

INTERNAL = "__internal"


class ProviderPool:
    """Starts a process for each provider resource when it is first needed."""

    def __init__(
        self,
        launcher: Launcher,
        stack: str,
        config: Callable[[], Config],
        *,
        preview: bool,
        ledger: StateJournal,
        sink: Sink,
    ) -> None:
        self._launcher = launcher
        self._stack = stack
        self._config = config
        self._preview = preview
        self._ledger = ledger
        self._sink = sink
        self._lock = threading.RLock()
        self._running: dict[str, Provider] = {}
        self._references: dict[str, str] = {}
        self._broken: dict[str, Exception] = {}
        self._olds = {item.urn: item for item in ledger.resources() if item.is_provider and not item.delete}

    def _start(self, package: str) -> Provider:
        return Provider(package, self._launcher.plugin(package), lambda line: self._sink.log(Severity.INFO, line))

    def reference(self, goal: Goal) -> str:
        """The reference (`<urn>::<id>`) of a custom resource's provider: the one it names, or the default."""
        return goal.provider or self.default(goal.package, goal.version, goal.download_url)

    def default(self, package: str, version: str, url: str) -> str:
        """The reference of a package's default provider; each version of the package has its own."""
        name = default_name(version, url)
        urn = make_urn(self._stack, self._launcher.project.name, "", PROVIDER_PREFIX + package, name)
        with self._lock:
            if urn in self._broken:
                raise self._broken[urn]
            if urn not in self._references:
                inputs = self._default_inputs(package, version, url)
                try:
                    self.register(Resource(urn=urn, custom=True, type=PROVIDER_PREFIX + package, inputs=inputs))
                except (EngineError, ProviderError) as error:
                    self._broken[urn] = error  # started once, not for each resource
                    raise
            return self._references[urn]

    def _default_inputs(self, package: str, version: str, url: str) -> PropertyMap:
        inputs: PropertyMap = {}
        for key, value in self._config().items():
            namespace, _, name = key.partition(":")
            if package in (DYNAMIC, namespace):
                inputs[key if package == DYNAMIC else name] = Secret(value.text) if value.secret else value.text
        return inputs | plugin_inputs(version, url)

    def register(self, wanted: Resource) -> Resource:
        """Create, update or keep a provider resource and configure its process; returns its state."""
        package = wanted.type.removeprefix(PROVIDER_PREFIX)
        with self._lock:
            old = self._olds.get(wanted.urn)
            provider = self._start(package)
            self._running[wanted.urn] = provider
            checked = provider.check_config(
                wanted.urn, own_inputs(old.inputs) if old else {}, own_inputs(wanted.inputs)
            )
            internal = {key: value for key, value in wanted.inputs.items() if key == INTERNAL}
            new = self._store(old, replace(wanted, inputs=checked | internal, outputs=checked))
            provider.configure(new.urn, checked, new.id)
            self._references[new.urn] = f"{new.urn}::{new.id}"
            return new

    def _store(self, old: Resource | None, new: Resource) -> Resource:
        if old is None:
            time = now()
            new = new.changed(id=UNKNOWN_TEXT if self._preview else str(uuid4()), created=time, modified=time)
            op = Op.CREATE
        else:
            new = new.changed(id=old.id, created=old.created, modified=old.modified)
            op = Op.SAME if new.inputs == old.inputs else Op.UPDATE
            if op is Op.SAME:
                new = new.changed(outputs=old.outputs)
        step = Step(op, new.urn, old, new)
        self._sink.started(step)
        if old is not None and new == old:
            self._ledger.same(old)
            new = old
        else:
            self._ledger.put([new], [old] if old else [])
        self._sink.finished(step)
        return new

    def get(self, reference: str) -> Provider:
        """The running provider of a reference; one that is only in the state is started from there."""
        urn, _, _ = reference.rpartition("::")
        with self._lock:
            if urn not in self._running:
                self._running[urn] = self._from_state(urn)
            return self._running[urn]

    def _from_state(self, urn: str) -> Provider:
        resource = self._olds.get(urn)
        if resource is None:
            raise EngineError(f"the provider {urn} is not in the state")
        package = resource.type.removeprefix(PROVIDER_PREFIX)
        provider, olds = self._start(package), own_inputs(resource.inputs)
        if package == DYNAMIC and resource.name == "default":
            # credentials may have changed since, so the stack's current configuration is used; as in an update, the
            # provider also receives the inputs of the last run
            resource = resource.changed(inputs=self._default_inputs(package, "", ""))
            provider.check_config(urn, olds, own_inputs(resource.inputs))
        provider.configure(urn, own_inputs(resource.inputs), resource.id)
        return provider

    def registered(self) -> set[str]:
        """URNs of the providers that this run has registered."""
        with self._lock:
            return set(self._references)

    def cancel(self) -> None:
        """Tell all providers to end their operations."""
        for provider in self._all():
            provider.cancel()

    def stop(self) -> None:
        """End all processes."""
        self._launcher.stop()
        threads = [threading.Thread(target=provider.stop) for provider in self._all()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _all(self) -> list[Provider]:
        with self._lock:
            return list(self._running.values())


def plugin_inputs(version: str, url: str) -> PropertyMap:
    """The inputs of a provider that identify its plugin, as the CLI stores them."""
    inputs: PropertyMap = {"version": version} if version else {}
    internal: PropertyMap = {"pluginDownloadURL": url} if url else {}
    return inputs | {INTERNAL: internal} if inputs or internal else {}


def own_inputs(inputs: PropertyMap) -> PropertyMap:
    """A provider's inputs without those for the engine."""
    return {key: value for key, value in inputs.items() if key != INTERNAL}


def default_name(version: str, url: str) -> str:
    """The name that Pulumi gives a default provider."""
    parts = ["default", *re.split(r"[.+-]", version)] if version else ["default"]
    name = "_".join(parts)
    return f"{name}_{re.sub(r'[^A-Za-z0-9_.-]', '_', url).replace('-', '_')}" if url else name

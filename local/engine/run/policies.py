"""Policy packs (CrossGuard), started as by the CLI's language host and called over the Analyzer protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from pulumi.runtime.proto import analyzer_pb2 as pb
from pulumi.runtime.proto import analyzer_pb2_grpc

from local.engine.display.events import Severity, Sink, Violation
from local.engine.display.progress import Report
from local.engine.errors import EngineError, UnsupportedError
from local.engine.processes.answers import ProviderError
from local.engine.processes.launch import Launcher, python_of
from local.engine.processes.plugins import CHANNEL_OPTIONS
from local.engine.processes.process import Process
from local.engine.run.steps import SkippedError
from local.engine.state.project import read_yaml
from local.engine.state.state import Resource
from local.engine.state.values import to_struct

_LEVELS = {"advisory": pb.ADVISORY, "mandatory": pb.MANDATORY, "disabled": pb.DISABLED, "remediate": pb.REMEDIATE}


def start_pack(folder: Path, config: Path | None, launcher: Launcher, extra: Mapping[str, str], sink: Sink) -> Pack:
    """Start a policy pack, in the project's Python unless it names a virtual environment of its own.

    `extra` is added to the program's environment. Raises EngineError if the pack cannot be started.
    """
    manifest = folder / "PulumiPolicy.yaml"
    if not manifest.is_file():
        raise EngineError(f"the policy pack {folder} has no PulumiPolicy.yaml")
    settings = read_yaml(manifest)
    runtime = settings.get("runtime")
    options = runtime.get("options") or {} if isinstance(runtime, dict) else {}
    name = runtime.get("name") if isinstance(runtime, dict) else runtime
    if name != "python":
        raise UnsupportedError(f"a policy pack in {name!r}")
    python = python_of(launcher.project)
    if "virtualenv" in options:
        python = str(folder / options["virtualenv"] / "bin" / "python")
    argv = [python, "-u", "-m", "pulumi.policy", launcher.address, str(folder / str(settings.get("main", ".")))]
    process = launcher.start(argv, folder, {**launcher.environment, **extra})
    try:
        return Pack(folder, str(settings.get("version") or ""), config, process, sink)
    except EngineError:
        process.stop()
        raise


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a duplicate name: the first one, which readers see, would be ignored."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} appears twice")
    return found


class Pack:
    """One running policy pack; `version` is that of its manifest, which takes precedence."""

    def __init__(self, folder: Path, version: str, config: Path | None, process: Process, sink: Sink) -> None:
        def show(line: str) -> None:
            sink.log(Severity.INFO, line)

        self._process = process
        process.show_output(show, stdout=False)
        port = process.read_port()
        process.show_output(show, stderr=False)
        self._stub = analyzer_pb2_grpc.AnalyzerStub(grpc.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS))
        try:
            self.info = self._stub.GetAnalyzerInfo(Empty())
            self.version = version or self.info.version
            self._configure(config)
        except grpc.RpcError as error:
            raise EngineError(f"the policy pack {folder.name}: {error.details()}") from None

    def _configure(self, file: Path | None) -> None:
        wanted: dict[str, pb.PolicyConfig] = {}
        for policy in self.info.policies:
            wanted[policy.name] = pb.PolicyConfig(enforcementLevel=policy.enforcementLevel)
            schema = MessageToDict(policy.configSchema.properties)
            defaults = {name: given["default"] for name, given in schema.items() if "default" in given}
            ParseDict(defaults, wanted[policy.name].properties)
        for name, initial in self.info.initialConfig.items():
            wanted.setdefault(name, pb.PolicyConfig()).MergeFrom(initial)
        if file is not None:
            self._apply_file(file, wanted)
        self._stub.Configure(pb.ConfigureAnalyzerRequest(policyConfig=wanted))

    def _apply_file(self, file: Path, wanted: dict[str, pb.PolicyConfig]) -> None:
        try:
            data = json.loads(file.read_text(), object_pairs_hook=_once)
        except RecursionError:
            raise EngineError(f"the policy configuration {file}: too deep, one in another") from None
        except (OSError, ValueError) as error:
            raise EngineError(f"the policy configuration {file}: {error}") from None
        if not isinstance(data, dict):
            raise EngineError(f"the policy configuration {file}: levels and settings by policy are expected")
        for name, value in data.items():
            if not isinstance(value, str | dict):
                raise EngineError(f"the policy configuration {file}: {name}: expected a level or an object")
            properties = {} if isinstance(value, str) else dict(value)
            level = value if isinstance(value, str) else properties.pop("enforcementLevel", None)
            if level is not None and (not isinstance(level, str) or level not in _LEVELS):
                raise EngineError(f"the policy configuration {file}: {name}: unknown enforcement level {level!r}")
            # "all" applies to those that are not named
            for policy in [one for one in wanted if one not in data] if name == "all" else [name]:
                config = wanted.setdefault(policy, pb.PolicyConfig())
                if level is not None:
                    config.enforcementLevel = _LEVELS[level]
                if name != "all":
                    try:
                        ParseDict({**_plain(config), **properties}, config.properties)
                    except (ParseError, ValueError, RecursionError):
                        raise EngineError(f"the policy configuration {file}: {name}: no settings in JSON") from None

    def analyze(self, resource: Resource, provider: Resource | None) -> Iterable[Violation]:
        """The violations of one resource's inputs."""
        request = pb.AnalyzeRequest(
            urn=resource.urn,
            type=resource.type,
            name=resource.name,
            properties=to_struct(resource.inputs, secrets=True),
            options=_options(resource),
            provider=_provider(provider),
        )
        return self._violations(self._ask(self._stub.Analyze, request), resource.urn)

    def analyze_stack(self, resources: Mapping[str, Resource]) -> Iterable[Violation]:
        """The violations of the whole stack's outputs."""
        items = [
            pb.AnalyzerResource(
                urn=resource.urn,
                type=resource.type,
                name=resource.name,
                properties=to_struct(resource.outputs, secrets=True),
                options=_options(resource),
                provider=_provider(resources.get(resource.provider_urn)),
                parent=resource.parent,
                dependencies=resource.dependencies,
                propertyDependencies={
                    key: pb.AnalyzerPropertyDependencies(urns=urns)
                    for key, urns in resource.property_dependencies.items()
                },
            )
            for resource in resources.values()
        ]
        response = self._ask(self._stub.AnalyzeStack, pb.AnalyzeStackRequest(resources=items))
        return self._violations(response, "")

    def _ask(self, method: Callable[[Any], Any], request: Any) -> Any:
        try:
            return method(request)
        except grpc.RpcError as error:
            raise EngineError(f"the policy pack {self.info.name}: {error.details()}") from None

    def _violations(self, response: Any, urn: str) -> Iterable[Violation]:
        for item in response.diagnostics:
            level = item.enforcementLevel
            if level == pb.DISABLED:
                continue
            yield Violation(
                pack=item.policyPackName or self.info.name,
                version=self.version,
                policy=item.policyName,
                urn=item.urn or urn,
                message=item.message,
                description=item.description,
                mandatory=level in (pb.MANDATORY, pb.REMEDIATE),
            )

    def stop(self) -> None:
        """End the pack's process."""
        self._process.stop()


def _plain(config: pb.PolicyConfig) -> dict[str, Any]:
    return dict(MessageToDict(config.properties))


def _options(resource: Resource) -> pb.AnalyzerResourceOptions:
    return pb.AnalyzerResourceOptions(
        protect=resource.protect,
        ignoreChanges=resource.ignore_changes,
        additionalSecretOutputs=resource.additional_secret_outputs,
        aliases=resource.aliases,
        parent=resource.parent,
    )


def _provider(provider: Resource | None) -> pb.AnalyzerProviderResource | None:
    if provider is None:
        return None
    return pb.AnalyzerProviderResource(
        urn=provider.urn,
        type=provider.type,
        name=provider.name,
        properties=to_struct(provider.inputs, secrets=True),
    )


class Policies:
    """All policy packs of a run, started in the background."""

    def __init__(
        self,
        start: Sequence[Callable[[], Pack]],
        preview: bool,
        sink: Sink,
        check: Callable[[], Report] | None = None,
    ) -> None:
        self._preview = preview
        self._check = check
        self._approved = True
        self._lock = threading.Lock()
        self._sink = sink
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(start)))
        self._packs: list[Future[Pack]] = [self._pool.submit(item) for item in start]
        self.failed = False

    def await_start(self) -> None:
        """Return once all packs are ready; raises EngineError if one cannot be started."""
        self._running()

    @property
    def refused(self) -> bool:
        """Whether the preview before the first change has failed."""
        return not self._approved

    def names(self) -> list[str]:
        """The packs' names and versions."""
        return [f"{pack.info.name}@v{pack.version}" for pack in self._running()]

    def _running(self) -> list[Pack]:
        return [future.result() for future in self._packs]

    def approve(self) -> None:
        """Run a preview before the first change: policies for the whole stack would otherwise come too late.

        Raises SkippedError if it fails; its violations are reported as those of this run.
        """
        with self._lock:
            if self._check is not None:
                report, self._check = self._check(), None
                self._approved = not report.failed
                self._report_refusal(report)
            if not self._approved:
                raise SkippedError

    def _report_refusal(self, report: Report) -> None:
        for violation in report.violations if report.failed else ():
            self._sink.violation(violation)
        for urn, messages in report.messages.items() if report.failed else ():
            for severity, message in messages:
                if severity is Severity.ERROR:
                    self._sink.log(severity, message, urn)

    def analyze(self, resource: Resource, provider: Resource | None) -> None:
        """Check a resource before its operation; a mandatory violation raises ProviderError, except in a preview."""
        broken = False
        for pack in self._running():
            broken |= self._report(pack.analyze(resource, provider))
        if broken and not self._preview:
            raise ProviderError("a mandatory policy is violated")

    def analyze_stack(self, resources: Mapping[str, Resource]) -> None:
        """Check the whole stack."""
        for pack in self._running():
            self._report(pack.analyze_stack(resources))

    def _report(self, violations: Iterable[Violation]) -> bool:
        broken = False
        for violation in violations:
            self._sink.violation(violation)
            broken |= violation.mandatory
        self.failed |= broken
        return broken

    def stop(self) -> None:
        """End the packs' processes."""
        for future in self._packs:
            if not future.cancel() and future.exception() is None:
                future.result().stop()
        self._pool.shutdown()

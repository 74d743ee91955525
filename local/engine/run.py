"""The runs: preview and update of a program, destroy, refresh."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from pulumi.runtime.proto import engine_pb2_grpc, resource_pb2_grpc

from .backend import Writer
from .deployment import Deployment
from .display import Display, Report
from .errors import EngineError
from .events import Severity, Sink
from .ledger import Ledger
from .monitor import EngineService, MonitorService, Server, deployment_info
from .plugins import DYNAMIC, python_of
from .policy import Pack, Policies
from .processes import Process
from .project import Config, Project
from .providers import ProviderPool
from .refresh import refresh_all
from .removal import Remover
from .runner import REPORTED
from .session import Session
from .state import PROVIDER_PREFIX, Snapshot

RUNNER = Path(__file__).with_name("runner.py")


@dataclass(frozen=True)
class Options:
    """How a run is to be done."""

    parallel: int
    show_diff: bool = False
    packs: tuple[Path, ...] = ()
    pack_configs: tuple[Path, ...] = ()


class Run:
    """Everything that one run needs, started and stopped together."""

    def __init__(self, kind: str, session: Session, options: Options, *, preview: bool) -> None:
        self.session = session
        self.options = options
        self.preview = preview
        self.display = Display(kind, session.stack, preview=preview, show_diff=options.show_diff)
        self.server = Server(threads=4 * options.parallel + 16)
        self.environment = program_environment(session.project)
        self.snapshot = Snapshot()
        self.writer: Writer | None = None
        self.program: Process | None = None
        self._stopping = 0

    def load(self, prestart: bool) -> None:
        """Read the state and set up ledger, providers and remover."""
        self.snapshot = self.session.snapshot()
        if self.snapshot.pending:
            self._warn_of_pending()
        base = replace(self.snapshot, pending=())
        if self.preview:
            self.ledger = Ledger(base)
        else:
            self.writer = Writer(self.session.backend, self.session.encoder, lambda: self.ledger.snapshot())
            self.ledger = Ledger(base, self.writer.offer, self.writer.wait)
            if self.snapshot.pending:
                self.ledger.write()
        config = self._config()
        self.providers = ProviderPool(
            self.session.project,
            self.session.stack,
            config,
            preview=self.preview,
            engine=self.server.address,
            env=self.environment,
            ledger=self.ledger,
            sink=self.display,
        )
        if prestart:
            for package in packages_to_start(self.session.project, self.snapshot):
                self.providers.prestart(package)
        self.remover = Remover(
            preview=self.preview,
            parallel=self.options.parallel,
            ledger=self.ledger,
            providers=self.providers,
            sink=self.display,
        )
        self.server.serve(engine_pb2_grpc.add_EngineServicer_to_server, EngineService(self.display))

    def _config(self) -> Callable[[], Config]:
        lock, found = threading.Lock(), list[Config]()

        def config() -> Config:
            with lock:
                if not found:
                    found.append(self.session.config())
                return found[0]

        return config

    def _warn_of_pending(self) -> None:
        lines = "\n".join(f"  * {item.resource.urn}, interrupted while {item.type}" for item in self.snapshot.pending)
        self.display.log(
            Severity.WARNING,
            f"the last run on this stack was interrupted; these operations did not end, and are repeated:\n{lines}",
        )

    def cancel(self) -> None:
        """Start nothing new, tell the providers, let what runs come to its end."""
        self.remover.cancelled.set()
        self.display.log(Severity.ERROR, "the run was cancelled; what was in flight is being finished")
        threading.Thread(target=self.providers.cancel, daemon=True).start()

    @contextlib.contextmanager
    def interruptible(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Ctrl-C (or SIGTERM) cancels; the second time the run is given up at once."""

        def handle(number: int, frame: FrameType | None) -> None:
            self._stopping += 1
            if self._stopping == 1:
                threading.Thread(target=cancel, daemon=True).start()
            else:
                os._exit(130)

        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def close(self, packs: list[str]) -> Report:
        """End all processes, write what is left to write, show the end of the report."""
        try:
            if self.program:
                self.program.stop()
            self.providers.stop()
        finally:
            if self.writer:
                self.writer.close()
            self.server.stop()
            self.display.close(packs)
        return self.display.report


def program_environment(project: Project) -> dict[str, str]:
    """The environment of the program and the plugins: the project's virtual environment is active in it."""
    environment = dict(os.environ)
    if project.virtualenv is not None:
        environment["VIRTUAL_ENV"] = str(project.virtualenv)
        environment["PATH"] = f"{project.virtualenv / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
        environment.pop("PYTHONHOME", None)
    return environment


def packages_to_start(project: Project, snapshot: Snapshot) -> set[str]:
    """Packages whose default provider the run most probably needs."""
    used = {item.type.removeprefix(PROVIDER_PREFIX) for item in snapshot.resources
            if item.is_provider and item.name.startswith("default")}  # fmt: skip
    return used or set(project.plugins) & {DYNAMIC}


def run_program(session: Session, options: Options, *, preview: bool) -> Report:
    """Preview or update: run the program and bring about what it declares."""
    run = Run("up", session, options, preview=preview)
    run.program = _start_program(run)
    packs: list[str] = []
    run.load(prestart=True)
    config = session.config()
    policies = _policies(run, config)
    deployment = Deployment(
        session.project.name,
        session.stack,
        run.snapshot,
        preview=preview,
        ledger=run.ledger,
        providers=run.providers,
        remover=run.remover,
        policies=policies,
        sink=run.display,
    )
    info = deployment_info(session.project.name, session.stack, config, preview=preview, parallel=options.parallel)
    monitor = MonitorService(deployment, info, run.display)
    run.server.serve(resource_pb2_grpc.add_ResourceMonitorServicer_to_server, monitor)
    run.server.start()

    def cancel() -> None:
        deployment.cancelled.set()
        run.cancel()

    try:
        with run.interruptible(cancel):
            run.program.send(_program_settings(run, config))
            status = run.program.wait()
            if status not in (0, REPORTED):
                run.display.log(Severity.ERROR, f"program exited with non-zero exit code: {status}")
            broken = status != 0 or deployment.failed or run.display.report.failed
            if not broken:
                policies.analyze_stack(deployment.news)
                broken = policies.failed and not preview
            if not broken and not deployment.cancelled.is_set():
                deployment.remove_rest()
            packs = policies.names()
    finally:
        policies.stop()
        report = run.close(packs)
    report.failed |= broken or run.remover.failed or policies.failed
    return report


def _start_program(run: Run) -> Process:
    project = run.session.project

    def show(line: str, stderr: bool) -> None:
        run.display.log(Severity.INFO, line)

    folder = project.main if project.main.is_dir() else project.main.parent
    process = Process([python_of(project), "-u", str(RUNNER)], cwd=folder, env=run.environment, output=show)
    process.show_output()
    return process


def _program_settings(run: Run, config: Config) -> str:
    project = run.session.project
    program = "." if project.main.is_dir() else project.main.name
    return json.dumps(
        {
            "monitor": run.server.address,
            "engine": run.server.address,
            "project": project.name,
            "stack": run.session.stack,
            "parallel": run.options.parallel,
            "dry_run": run.preview,
            "root": str(project.root),
            "program": program,
            "config": {key: value.text for key, value in config.items()},
            "secret_keys": [key for key, value in config.items() if value.secret],
        }
    )


def _policies(run: Run, config: Config) -> Policies:
    session, options = run.session, run.options
    environment = run.environment | {
        "PULUMI_PROJECT": session.project.name,
        "PULUMI_STACK": session.stack,
        "PULUMI_ORGANIZATION": "organization",
        "PULUMI_DRY_RUN": str(run.preview).lower(),
        "PULUMI_CONFIG": json.dumps({key: value.text for key, value in config.items() if not value.secret}),
    }

    def starter(folder: Path, file: Path | None) -> Callable[[], Pack]:
        return lambda: start_pack(folder, file, session.project, run.server.address, environment, run.display)

    if len(options.pack_configs) > len(options.packs):
        raise EngineError("the number of --policy-pack-config options must not be more than that of --policy-pack")
    files = [*options.pack_configs, *[None] * (len(options.packs) - len(options.pack_configs))]
    return Policies(
        [starter(folder, file) for folder, file in zip(options.packs, files, strict=True)], run.preview, run.display
    )


def start_pack(
    folder: Path, file: Path | None, project: Project, address: str, environment: Mapping[str, str], sink: Sink
) -> Pack:
    """Start a policy pack in the project's Python, unless it names a virtual environment of its own."""
    return Pack(folder, file, python_of(project), address, environment, sink)


def run_destroy(session: Session, options: Options, *, preview: bool) -> Report:
    """Delete everything in the state, without running the program."""
    run = Run("destroy", session, options, preview=preview)
    run.load(prestart=False)
    run.server.start()
    try:
        with run.interruptible(run.cancel):
            run.remover.remove(run.snapshot.resources)
    finally:
        report = run.close([])
    report.failed |= run.remover.failed
    return report


def run_refresh(session: Session, options: Options, *, preview: bool) -> Report:
    """Read every resource and take what it is now into the state."""
    run = Run("refresh", session, options, preview=preview)
    run.load(prestart=False)
    run.server.start()
    try:
        with run.interruptible(run.cancel):
            refresh_all(run.snapshot, run.ledger, run.providers, run.remover, run.display, options.parallel)
    finally:
        report = run.close([])
    report.failed |= run.remover.failed
    return report

"""The kinds of run: preview and update of a program, destroy, refresh."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from pulumi.runtime.proto import engine_pb2_grpc, resource_pb2_grpc

from local.engine.display.eventlog import EventLog
from local.engine.display.events import Severity
from local.engine.display.progress import Display, Report
from local.engine.errors import EngineError
from local.engine.processes.launch import Launcher
from local.engine.processes.process import Process
from local.engine.processes.runner import REPORTED
from local.engine.run.deployment import Deployment
from local.engine.run.interrupts import heard
from local.engine.run.monitor import EngineService, GrpcServer, MonitorService, deployment_info
from local.engine.run.policies import Policies, start_pack
from local.engine.run.providers import ProviderPool
from local.engine.run.refresh import Refresher
from local.engine.run.removal import Remover
from local.engine.state.backend import Writer
from local.engine.state.ledger import StateJournal
from local.engine.state.project import Config
from local.engine.state.session import Session
from local.engine.state.state import Resource, Snapshot


@dataclass(frozen=True)
class Options:
    """Options of a run.

    `out`: where output goes; None: stdout. `check`: a run that must succeed before anything is changed.
    `replace`: URNs of resources that are always replaced. `base`: the state to start from, if not the stack's.
    `log`: receives the events.
    """

    parallel: int
    show_diff: bool = False
    packs: tuple[Path, ...] = ()
    pack_configs: tuple[Path, ...] = ()
    out: TextIO | None = None
    check: Callable[[], Report] | None = None
    replace: tuple[str, ...] = ()
    base: Snapshot | None = None
    log: EventLog | None = None


class EngineRun:
    """The parts of one run, started and stopped together."""

    def __init__(self, kind: str, session: Session, options: Options, launcher: Launcher, *, preview: bool) -> None:
        self.session = session
        self.options = options
        self.launcher = launcher
        self.preview = preview
        self.display = Display(
            kind,
            session.project.name,
            session.stack,
            preview=preview,
            show_diff=options.show_diff,
            out=options.out,
            log=options.log,
        )
        self.server = GrpcServer(launcher.address, threads=4 * options.parallel + 16)
        launcher.bound()
        self.writer: Writer | None = None
        self.program: Process | None = None
        self.snapshot = options.base or session.snapshot()
        if self.snapshot.pending:
            self._warn_of_pending()
        self.ledger = StateJournal(replace(self.snapshot, pending=()))
        self.begun = [self.ledger.begin(item.resource, item.type) for item in self.snapshot.pending]
        if not preview:
            self._keep_state()
        self.config = functools.lru_cache(session.config)
        self.providers = ProviderPool(
            launcher, session.stack, self.config, preview=preview, ledger=self.ledger, sink=self.display
        )
        self.remover = Remover(
            preview=preview,
            parallel=options.parallel,
            ledger=self.ledger,
            providers=self.providers,
            sink=self.display,
        )
        self.engine = EngineService(self.display)
        self.server.serve(engine_pb2_grpc.add_EngineServicer_to_server, self.engine)

    def _keep_state(self) -> None:
        self.writer = Writer(self.session.backend, self.session.encoder, self.ledger.snapshot)
        self.ledger.connect(self.writer.offer, self.writer.wait)
        if self.snapshot.pending:
            self.ledger.write()

    def half_made(self) -> list[Resource]:
        """What an interrupted run was creating: it may exist, although it is in no state."""
        return [
            item.resource.changed(
                outputs=item.resource.inputs, delete=True, init_errors=(f"interrupted while {item.type}",)
            )
            for item in self.snapshot.pending
            if item.type == "creating" and item.resource.custom and not item.resource.is_provider
        ]

    def settled(self) -> None:
        """Nothing of the interrupted run is left to do."""
        for token in self.begun:
            self.ledger.end(token)

    def _warn_of_pending(self) -> None:
        lines = "\n".join(f"  * {item.resource.urn}, interrupted while {item.type}" for item in self.snapshot.pending)
        self.display.log(
            Severity.WARNING,
            f"the last run on this stack was interrupted; these operations did not finish:\n{lines}",
        )

    def cancel(self) -> None:
        """Start nothing new, cancel the providers and wait for running operations."""
        self.remover.cancelled.set()
        self.display.log(Severity.ERROR, "the run was cancelled; operations in progress are being finished")
        self.providers.cancel()
        self.remover.drain()
        if self.program:
            self.program.stop()

    def give_up(self) -> None:
        """Exit at once. Running operations stay in the state as begun: their result is unknown."""
        if self.writer:
            self.writer.abandon()
        self.launcher.kill()
        os._exit(130)

    def interruptible(self, cancel: Callable[[], None]) -> AbstractContextManager[None]:
        """The first Ctrl-C (or SIGTERM) cancels, the second gives up the run. Signals reach only the main run."""
        return heard(cancel, self.give_up)

    def _write_rest(self) -> None:
        try:
            if self.writer:
                self.writer.close()
        except EngineError as error:
            self.display.log(Severity.ERROR, str(error))

    def close(self, packs: list[str], *, complete: bool = True) -> Report:
        """End all processes, write the state and print the end of the report.

        `complete`: the policy packs have seen all resources.
        """
        try:
            if self.program:
                self.program.stop()
            self.remover.drain()
            self.providers.stop()
        finally:
            self._write_rest()
            self.server.stop()
            self.display.close(packs, complete=complete)
        return self.display.report


def run_program(session: Session, options: Options, launcher: Launcher, program: Process, *, preview: bool) -> Report:
    """Preview or update: run the program and make the changes that it declares."""
    run = EngineRun("up", session, options, launcher, preview=preview)
    run.program = program
    packs: list[str] = []
    broken = True
    config = run.config()
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
        replace=options.replace,
    )
    info = deployment_info(session.project.name, session.stack, config, preview=preview, parallel=options.parallel)
    monitor = MonitorService(deployment, run.providers, info, run.engine, launcher.address)
    run.server.serve(resource_pb2_grpc.add_ResourceMonitorServicer_to_server, monitor)
    run.server.start()

    def cancel() -> None:
        deployment.cancelled.set()
        run.cancel()

    with run.interruptible(cancel):
        try:
            program.show_output(lambda line: run.display.log(Severity.INFO, line))
            program.send(_program_settings(run, config))
            policies.await_start()  # while the program runs; each resource waits for the packs, and needs them
            status = program.wait()
            if status not in (0, REPORTED) and not deployment.cancelled.is_set():
                run.display.log(Severity.ERROR, f"program exited with non-zero exit code: {status}")
            for urn in deployment.unmatched() if status == 0 else ():
                run.display.log(Severity.ERROR, f"--replace {urn}: no resource of this program")
            elsewhere = run.display.report.failed_without(deployment.failures.urns())
            broken = status != 0 or deployment.failed or (elsewhere and not policies.failed)
            if not broken:
                policies.analyze_stack(deployment.news)
                broken = policies.failed and not preview
            if not deployment.cancelled.is_set():
                deployment.failures.tell(run.display)
                if not broken or not (status or elsewhere or policies.failed or policies.refused):
                    deployment.remove_rest(run.half_made())
                    if not (broken or run.remover.failed):
                        run.settled()
            if status == 0:
                deployment.finish(failed=broken or deployment.cancelled.is_set())
            packs = policies.names()
        finally:
            policies.stop()
            report = run.close(packs, complete=not broken)
    report.failed |= broken or run.remover.failed or policies.failed
    return report


def _program_settings(run: EngineRun, config: Config) -> str:
    project = run.session.project
    program = "." if project.main.is_dir() else project.main.name
    return json.dumps(
        {
            "monitor": run.launcher.address,
            "engine": run.launcher.address,
            "project": project.name,
            "stack": run.session.stack,
            "parallel": run.options.parallel,
            "dry_run": run.preview,
            "root": str(project.root),
            "program": program,
            "packs": [str(pack) for pack in run.options.packs],
            "config": {key: value.text for key, value in config.items()},
            "secret_keys": [key for key, value in config.items() if value.secret],
        }
    )


def _policies(run: EngineRun, config: Config) -> Policies:
    session, options = run.session, run.options
    extra = {
        "PULUMI_PROJECT": session.project.name,
        "PULUMI_STACK": session.stack,
        "PULUMI_ORGANIZATION": "organization",
        "PULUMI_DRY_RUN": str(run.preview).lower(),
        "PULUMI_CONFIG": json.dumps({key: value.text for key, value in config.items() if not value.secret}),
    }
    if len(options.pack_configs) > len(options.packs):
        raise EngineError("the number of --policy-pack-config options must not be more than that of --policy-pack")
    files = [*options.pack_configs, *[None] * (len(options.packs) - len(options.pack_configs))]
    starts = [
        functools.partial(start_pack, folder, file, run.launcher, extra, run.display)
        for folder, file in zip(options.packs, files, strict=True)
    ]
    return Policies(starts, run.preview, run.display, options.check)


def run_destroy(session: Session, options: Options, launcher: Launcher, *, preview: bool) -> Report:
    """Delete everything in the state, without running the program."""
    run = EngineRun("destroy", session, options, launcher, preview=preview)
    run.server.start()
    with run.interruptible(run.cancel):
        try:
            run.remover.remove([*run.snapshot.resources, *run.half_made()])
            if not run.remover.failed:
                run.settled()
        finally:
            report = run.close([])
    report.failed |= run.remover.failed
    return report


def run_refresh(session: Session, options: Options, launcher: Launcher, *, preview: bool) -> Report:
    """Read every resource and record its current state."""
    run = EngineRun("refresh", session, options, launcher, preview=preview)
    run.server.start()
    with run.interruptible(run.cancel):
        try:
            Refresher(run.ledger, run.providers, run.remover, run.display, options.parallel).refresh(run.snapshot)
            if not run.remover.failed and not run.half_made():  # otherwise they are left to the next run
                run.settled()
        finally:
            report = run.close([])
    report.after = run.ledger.snapshot()
    report.failed |= run.remover.failed
    return report

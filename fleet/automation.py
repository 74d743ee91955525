"""Runs a fleet's stacks with the Pulumi CLI, through Pulumi's Automation API."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from pulumi.automation import CommandResult, LocalWorkspace, OnOutput, PulumiCommand, Stack
from pulumi.automation.errors import CommandError, create_command_error

from fleet.environment import Environment, FleetError
from fleet.job import CREATING, Job, SilenceLimits, StackRun
from fleet.outcome import StackOutcome
from fleet.processes import Processes, StalledError, Watch
from local.commands import policy_environment

RUNS = ("preview", "up", "refresh", "destroy")
ONE_QUERY = {"PULUMI_DIY_BACKEND_PARALLEL": "1"}
"""On PostgreSQL, while the CLI reads the list of stacks, it queries each one again.

Each query takes two connections of a pool that has two per core, so parallel queries deadlock.
"""


class Automation:
    """The Pulumi CLI. See fleet.job.Engine.

    Raises CommandError if the backend cannot be read, FleetError if it does not answer.
    """

    def __init__(self, environment: Environment, processes: Processes, limits: SilenceLimits) -> None:
        self._processes, self._limits = processes, limits
        command = _Command(processes, limits, environment.backend)
        self._workspace = _Workspace(str(environment.folder), command)

    def stacks(self) -> frozenset[str]:
        """See Engine."""
        return frozenset(self._workspace.stacks)

    def create(self, stack: str) -> None:
        """See Engine."""
        self._workspace.create_stack(stack)

    def resources(self, stack: str) -> Sequence[Mapping[str, Any]]:
        """See Engine."""
        deployment = self._workspace.export_stack(stack).deployment or {}
        return deployment.get("resources") or []

    def move(self, source: str, dest: str, urns: Sequence[str]) -> None:
        """See Engine. `pulumi state move` includes the children of the resources."""
        command = ["state", "move", "--source", source, "--dest", dest, "--yes", *urns]
        self._workspace.pulumi_command.run(command, self._workspace.work_dir, {})

    def many(self) -> AbstractContextManager[None]:
        """See Engine: there is nothing to prepare."""
        return nullcontext()

    def run(self, stack: str, job: Job, run: StackRun) -> StackOutcome:
        """See Engine. An `up` with policies is previewed first, so that they are checked before anything changes.

        `up` runs even if the preview shows no change, because options such as `retainOnDelete` are in the state, too.
        """
        common: dict[str, Any] = {"on_output": run.print, "on_error": run.print, "on_event": run.event}
        common |= {"color": "never", "diff": job.diff or None, "parallel": job.parallel}
        workspace = self._workspace.watched(self._limits.watch(run))
        if stack not in workspace.stacks:
            run.print(f"error: no stack named '{stack}' found; `preview` and `up` create it")
            return run.ended(ok=False, cancelled=False)
        try:
            selected = Stack.select(stack, workspace)
            if job.command in CREATING:
                policies = job.policies(stack)
                packs, configs = _values(policies, "--policy-pack"), _values(policies, "--policy-pack-config")
                extra = policy_environment(policies, Path(workspace.work_dir))
                common |= {"policy_packs": packs, "policy_pack_configs": configs, "refresh": job.refresh or None}
                workspace.env_vars = {**job.extra, **extra}
                if packs or job.command == "preview":
                    self._preview(selected, job, run, common)
                if job.command == "up":
                    run.anew()
                    # one host that is down must not stop the others
                    selected.up(**common, show_secrets=False, continue_on_error=True)
                return run.ended(ok=True, cancelled=False)
            workspace.env_vars = {**job.extra}
            if job.command == "drift":
                selected.preview_refresh(**common)
            elif job.command == "refresh":
                selected.refresh(**common, show_secrets=False)
            else:
                selected.destroy(**common, show_secrets=False, continue_on_error=True)
        except (CommandError, StalledError):
            pass  # already reported
        except RuntimeError as error:
            run.print(f"error: {error}")
        else:
            return run.ended(ok=True, cancelled=False)
        return run.ended(ok=False, cancelled=self._processes.interrupted)

    def _preview(self, stack: Stack, job: Job, run: StackRun, common: Mapping[str, Any]) -> None:
        try:
            stack.preview(**common)
        except (CommandError, StalledError):
            if job.command != "preview":
                run.events.nothing_done()
            raise


def _values(options: Sequence[str], name: str) -> list[str]:
    return [option.partition("=")[2] for option in options if option.startswith(f"{name}=")]


class _Workspace(LocalWorkspace):
    """A project whose user has no stack selected, and that lists the stacks only once."""

    def __init__(self, folder: str, command: _Command) -> None:
        super().__init__(work_dir=folder, pulumi_command=command)
        self._command = command
        self.stacks = {stack.name.rpartition("/")[2] for stack in self.list_stacks()}

    def watched(self, watch: Watch) -> _Workspace:
        """Return a copy for one run, with its own environment."""
        own = copy.copy(self)
        own.env_vars = {}
        own.pulumi_command = self._command.watched(watch)
        return own

    def select_stack(self, stack_name: str) -> None:
        """See Workspace: every command names its stack."""

    def create_stack(self, stack_name: str) -> None:
        """See Workspace."""
        self.pulumi_command.run(["stack", "init", stack_name, "--no-select"], self.work_dir, {})
        self.stacks.add(stack_name)


class _Command(PulumiCommand):
    """The CLI, with processes that can be interrupted, and a limit on how long they may be silent."""

    def __init__(self, processes: Processes, limits: SilenceLimits, backend: str) -> None:
        try:  # the call below has no limit of its own
            subprocess.run([str(shutil.which("pulumi")), "version"], capture_output=True, check=False,
                           timeout=limits.call)  # fmt: skip
        except subprocess.TimeoutExpired:
            raise FleetError(f"`pulumi version` has not answered for {limits.call:.0f} s") from None
        super().__init__()
        self._processes, self._limits, self._backend = processes, limits, backend
        self._watch: Watch | None = None

    def watched(self, watch: Watch) -> _Command:
        """Return a copy for one run."""
        own = copy.copy(self)
        own._watch = watch
        return own

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """See PulumiCommand. Raises StalledError in a run, FleetError in any other call of the CLI."""
        captured: dict[str, list[str]] = {"out": [], "err": []}

        def out(line: str) -> None:
            captured["out"].append(line)
            if on_output:
                on_output(line)

        def err(line: str) -> None:
            captured["err"].append(line)
            if on_error:
                on_error(line)

        environment = {**(ONE_QUERY if self._backend.startswith("postgres") else {}), **os.environ, **additional_env}
        argv = [self.command, "--non-interactive", *args]
        environment["PULUMI_AUTOMATION_API"] = "true"
        runs = args[0] in RUNS
        watch = self._watch if runs and self._watch else self._waiting_for_the_state(args)
        try:
            code = self._processes.run(argv, Path(cwd), environment, out, err, watch=watch)
        except StalledError as error:
            if runs:
                raise
            raise FleetError(f"`pulumi {' '.join(args[:2])}`: {error}") from None
        result = CommandResult(stdout="\n".join(captured["out"]), stderr="\n".join(captured["err"]), code=code)
        if code:
            raise create_command_error(result)
        return result

    def _waiting_for_the_state(self, args: Sequence[str]) -> Watch:
        begun = time.monotonic()
        stack = next((args[index + 1] for index, word in enumerate(args[:-1]) if word == "--stack"), "")
        what = f"the state of {stack}" if stack else "the list of stacks" if "ls" in args else "the state"
        return Watch(lambda: self._limits.call, lambda: begun, lambda: f"it waits for {what} in {shown(self._backend)}")


def shown(url: str) -> str:
    """Return the URL of a backend without its credentials."""
    return re.sub(r"//[^/@]*@", "//", url).partition("?")[0] or "the backend"

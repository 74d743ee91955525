"""A fleet's stacks run by the Pulumi CLI, through Pulumi's Automation API."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from pulumi.automation import CommandResult, LocalWorkspace, OnOutput, PulumiCommand, Stack
from pulumi.automation.errors import CommandError, StackNotFoundError, create_command_error

from fleet.environment import Environment
from fleet.job import CREATING, Job, Run
from fleet.outcome import Outcome
from fleet.processes import Processes


class Automation:
    """The Pulumi CLI. See fleet.job.Engine.

    Raises CommandError where the backend cannot be read.
    """

    def __init__(self, environment: Environment, processes: Processes) -> None:
        self._processes = processes
        self._workspace = _Workspace(str(environment.folder), _Command(processes))

    def missing(self, stacks: Sequence[str]) -> Sequence[str]:
        """See Engine."""
        return [stack for stack in stacks if stack not in self._workspace.stacks]

    def create(self, stack: str) -> None:
        """See Engine."""
        self._workspace.create_stack(stack)

    def resources(self, stack: str) -> Sequence[Mapping[str, Any]]:
        """See Engine."""
        deployment = self._workspace.export_stack(stack).deployment or {}
        return deployment.get("resources") or []

    def move(self, source: str, dest: str, urns: Sequence[str]) -> None:
        """See Engine. `pulumi state move` takes what is below the resources along."""
        command = ["state", "move", "--source", source, "--dest", dest, "--yes", *urns]
        self._workspace.pulumi_command.run(command, self._workspace.work_dir, {})

    def many(self) -> AbstractContextManager[None]:
        """See Engine: there is nothing to prepare."""
        return nullcontext()

    def run(self, stack: str, job: Job) -> Outcome:
        """See Engine. An `up` with policies is previewed first: they hold before anything changes, as with `pulumi up`.

        It is done also where the preview shows no change: options such as `retainOnDelete` are in the state, too.
        """
        run = Run(stack)
        common: dict[str, Any] = {"on_output": run.print, "on_error": run.print, "on_event": run.events.add}
        common |= {"color": "never", "diff": job.diff or None, "parallel": job.parallel}
        try:
            selected = Stack.select(stack, self._workspace)
            if job.command in CREATING:
                packs = _values(job.policies(stack), "--policy-pack")
                configs = _values(job.policies(stack), "--policy-pack-config")
                common |= {"policy_packs": packs, "policy_pack_configs": configs}
                if packs or job.command == "preview":
                    selected.preview(**common)
                if job.command == "up":
                    selected.up(**common, show_secrets=False)
            elif job.command == "drift":
                selected.preview_refresh(**common)
            elif job.command == "refresh":
                selected.refresh(**common, show_secrets=False)
            else:
                selected.destroy(**common, show_secrets=False)
        except (CommandError, RuntimeError) as error:
            run.print(str(error))
            return run.ended(ok=False, cancelled=self._processes.interrupted)
        return run.ended(ok=True, cancelled=False)


def _values(options: Sequence[str], name: str) -> list[str]:
    return [option.partition("=")[2] for option in options if option.startswith(f"{name}=")]


class _Workspace(LocalWorkspace):
    """A project that selects no stack for its user, and asks for the list of stacks but once."""

    def __init__(self, folder: str, command: PulumiCommand) -> None:
        super().__init__(work_dir=folder, pulumi_command=command)
        self.stacks = {stack.name.rpartition("/")[2] for stack in self.list_stacks()}

    def select_stack(self, stack_name: str) -> None:
        """See Workspace."""
        if stack_name not in self.stacks:
            message = f"error: no stack named '{stack_name}' found; `preview` and `up` create it"
            raise StackNotFoundError(CommandResult(stdout="", stderr=message, code=255))

    def create_stack(self, stack_name: str) -> None:
        """See Workspace."""
        self.pulumi_command.run(["stack", "init", stack_name, "--no-select"], self.work_dir, {})
        self.stacks.add(stack_name)


class _Command(PulumiCommand):
    """The CLI, whose processes can be interrupted."""

    def __init__(self, processes: Processes) -> None:
        super().__init__()
        self._processes = processes

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """See PulumiCommand."""
        told: dict[str, list[str]] = {"out": [], "err": []}

        def out(line: str) -> None:
            told["out"].append(line)
            if on_output:
                on_output(line)

        def err(line: str) -> None:
            told["err"].append(line)
            if on_error:
                on_error(line)

        environment = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        argv = [self.command, "--non-interactive", *args]
        code = self._processes.run(argv, Path(cwd), environment, out, err)
        result = CommandResult(stdout="\n".join(told["out"]), stderr="\n".join(told["err"]), code=code)
        if code:
            raise create_command_error(result)
        return result

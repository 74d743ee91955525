"""What commands share: options, completion of names, and commands whose words are passed on."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand

STACKS, HOSTS, OTHER = "Stacks", "Hosts and rules", "This machine"
"""Panels of `stockade --help`."""
PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": ["-h", "--help"]}
"""The settings of a command that has its own parser, or that of the Pulumi CLI."""
_WORDS = "words"


class PassedOn(TyperCommand):
    """A command whose words go on as they were typed. What is declared here is its help and its completion."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click."""
        ctx.meta[_WORDS] = [*args]
        return super().parse_args(ctx, args)


def passed_on(
    app: typer.Typer, options: Mapping[str, Any], name: str | None = None, *, panel: str | None = None
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Declare a command of which the words are passed on: `options` and the docstring are its help."""
    register = app.command(name, cls=PassedOn, context_settings=PASSED_ON, rich_help_panel=panel)

    def declare(command: Callable[[], None]) -> Callable[[], None]:
        def run(ctx: typer.Context, **_: Any) -> None:
            pass_on(ctx)

        run.__name__, run.__doc__ = command.__name__, command.__doc__
        first = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        run.__signature__ = inspect.Signature([first, *_parameters(options)])  # type: ignore[attr-defined]
        register(run)
        return command

    return declare


def _parameters(options: Mapping[str, Any]) -> Iterator[inspect.Parameter]:
    for name, annotation in options.items():
        unset = get_args(annotation)[0]()  # nobody reads the values
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=unset, annotation=annotation)


def pass_on(ctx: typer.Context) -> None:
    """Run a command with the words that were typed, and exit with its status."""
    from cli.passed import PASSED

    path = ctx.command_path.split()[1:]
    raise typer.Exit(PASSED[path[0]]([*path, *ctx.meta[_WORDS]]))


def stacks(ctx: typer.Context, incomplete: str) -> list[str]:
    """The stacks of the project, for completion."""
    from local.commands import stacks_in

    return [name for name in stacks_in(_folder(ctx)) if name.startswith(incomplete)]


def hosts(ctx: typer.Context, incomplete: str) -> list[str]:
    """The hosts of the stack that has been typed before, for completion; nothing is decrypted."""
    from local.engine.errors import EngineError
    from local.engine.state.project import load_project, load_stack

    found: dict[str, Any] = {}
    with suppress(EngineError, OSError, AttributeError, TypeError, ValueError):
        folder = _folder(ctx)
        config = load_stack(load_project(folder), str(ctx.params.get("stack") or "")).config
        found = dict(config.get("stockade:hosts") or {})
        if listed := config.get("stockade:inventory"):
            found |= dict.fromkeys(re.findall(r"^([\w.-]+):", (folder / str(listed)).read_text("utf-8"), re.M))
    return [name for name in found if name.startswith(incomplete)]


def one_of(*words: str) -> Callable[[str], Sequence[str]]:
    """Completion by fixed words."""

    def completed(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return completed


def _folder(ctx: typer.Context) -> Path:
    return Path(ctx.params.get("cwd") or ".")


Stack = Annotated[
    str, typer.Option("--stack", "-s", metavar="STACK", autocompletion=stacks, help="The stack, as stacks/ names it.")
]
Cwd = Annotated[str, typer.Option("--cwd", "-C", metavar="DIR", help="The project's folder.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
Diff = Annotated[bool, typer.Option("--diff", help="Show what changes in each resource, line by line.")]
Parallel = Annotated[str, typer.Option("--parallel", "-p", metavar="N", help="Operations at once.")]
Refresh = Annotated[bool, typer.Option("--refresh", "-r", help="Read the hosts first.")]
ExpectNoChanges = Annotated[
    bool, typer.Option("--expect-no-changes", help="Fail if there are changes (exit status 7).")
]
SkipPreview = Annotated[bool, typer.Option("--skip-preview", "-f", help="Do not show a preview before asking.")]
PreviewOnly = Annotated[bool, typer.Option("--preview-only", help="Only show what would be done.")]
Replace = Annotated[list[str], typer.Option("--replace", metavar="URN", help="Replace this resource.")]
PolicyPack = Annotated[
    list[str], typer.Option("--policy-pack", metavar="DIR", help="Policies instead of Stockade's own.")
]
PolicyConfig = Annotated[list[str], typer.Option("--policy-pack-config", metavar="FILE", help="Their configuration.")]
EventLog = Annotated[str, typer.Option("--event-log", metavar="FILE", help="Write what the run does, as events.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON; the engine's output goes to stderr.")]

_RUN = {
    "stack": Stack,
    "cwd": Cwd,
    "yes": Yes,
    "diff": Diff,
    "refresh": Refresh,
    "preview_only": PreviewOnly,
    "skip_preview": SkipPreview,
    "expect_no_changes": ExpectNoChanges,
    "json": Json,
    "parallel": Parallel,
    "replace": Replace,
    "policy_pack": PolicyPack,
    "policy_pack_config": PolicyConfig,
    "event_log": EventLog,
}


def run_options(*, without: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of a run of the engine, in the order of its help."""
    return {name: option for name, option in _RUN.items() if name not in without}

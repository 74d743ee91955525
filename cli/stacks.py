"""The commands that an engine runs on one stack. Options that are not listed go to the engine as they are."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import STACKS, Cwd, Json, Parallel, Stack, Yes, one_of, passed_on, run_options

app = typer.Typer()
_ABOUT_CHANGES = ("replace", "policy_pack", "policy_pack_config")
"""Options of previews and updates only."""


@passed_on(app, run_options(without=("yes", "preview_only", "skip_preview")), panel=STACKS)
def preview() -> None:
    """Show what `up` would change. Connects to no host, changes nothing.

    \b
    Example:  stockade preview --stack mine --diff

    The policies are checked, too. Other options go to the engine as they are
    (`pulumi preview --help`).
    """


@passed_on(app, run_options(without=("preview_only",)), panel=STACKS)
def up() -> None:
    """Put into force what the stack's config declares.

    \b
    Example:  stockade up --stack mine

    Shows a preview and asks, unless `--yes` is given. `--refresh` reads the
    hosts first, and reverts what somebody changed by hand.
    """


@passed_on(app, run_options(without=("refresh", *_ABOUT_CHANGES)), panel=STACKS)
def refresh() -> None:
    """Read the hosts, and take what changed there into the state. Changes no host.

    \b
    Example:  stockade refresh --stack mine --preview-only --diff
    """


@passed_on(app, {"stack": Stack, "cwd": Cwd, "json": Json, "parallel": Parallel}, panel=STACKS)
def drift() -> None:
    """Fail if a host is not as the stack's config says. Changes no host.

    \b
    Example:  stockade drift --stack mine

    This is `refresh`, then `preview --diff --expect-no-changes`. Exit status:
    0 if everything is as declared, 7 if something differs (`up` restores it),
    1 if a host could not be read.
    """


@passed_on(app, run_options(without=_ABOUT_CHANGES), panel=STACKS)
def destroy() -> None:
    """Restore on every host what was there before Stockade.

    \b
    Example:  stockade destroy --stack mine
    """


_Secrets = Annotated[bool, typer.Option("--show-secrets", help="In plain text.")]
_File = Annotated[str, typer.Option("--file", metavar="FILE", help="A file, instead of stdin or stdout.")]


@passed_on(
    app,
    {
        "name": Annotated[str, typer.Argument(help="One output only, such as a host's name.")],
        "stack": Stack,
        "cwd": Cwd,
        "json": Annotated[bool, typer.Option("--json", help="As JSON.")],
        "show_secrets": _Secrets,
    },
    panel=STACKS,
)
def output() -> None:
    """Print what is in force, as the last `up` saw it.

    \b
    Example:  stockade output --stack mine --json
    """


@passed_on(app, {"stack": Stack, "cwd": Cwd, "file": _File, "show_secrets": _Secrets}, panel=STACKS)
def export() -> None:
    """Print the stack's state, for a backup or another engine.

    \b
    Example:  stockade export --stack mine --file mine.json
    """


@passed_on(app, {"stack": Stack, "cwd": Cwd, "file": _File}, "import", panel=STACKS)
def import_() -> None:
    """Replace the stack's state by one that `export` printed.

    \b
    Example:  stockade import --stack mine --file mine.json
    """


@passed_on(
    app,
    {
        "what": Annotated[
            list[str], typer.Argument(metavar="set|get|rm KEY [VALUE]", autocompletion=one_of("set", "get", "rm"))
        ],
        "stack": Stack,
        "cwd": Cwd,
        "secret": Annotated[bool, typer.Option("--secret", help="Encrypt the value.")],
        "path": Annotated[bool, typer.Option("--path", help="KEY is a path into a map or list.")],
        "plaintext": Annotated[bool, typer.Option("--plaintext", help="Do not encrypt what looks like a secret.")],
    },
    panel=STACKS,
)
def config() -> None:
    """Change the stack's config from the command line: how secrets get into it. Comments in the file stay.

    \b
    Example:  stockade config set --stack mine --secret --path 'stockade:hosts.web1.sudoPassword'

    Without VALUE, it is read from stdin.
    """


@passed_on(
    app,
    {
        "what": Annotated[
            list[str],
            typer.Argument(
                metavar="delete|taint|untaint|protect|unprotect URN…",
                autocompletion=one_of("delete", "taint", "untaint", "protect", "unprotect"),
            ),
        ],
        "stack": Stack,
        "cwd": Cwd,
        "target_dependents": Annotated[
            bool, typer.Option("--target-dependents", help="delete: also what depends on them.")
        ],
        "force": Annotated[bool, typer.Option("--force", help="delete: also protected ones.")],
        "yes": Yes,
    },
    panel=STACKS,
)
def state() -> None:
    """Change single resources in the state. No host is touched.

    \b
    Example:  stockade state taint --stack mine 'urn:pulumi:mine::stockade::pulumi-python:dynamic/stockade:Sshd::web1'

    `stockade export` lists the URNs.
    """

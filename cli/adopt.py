"""`stockade adopt`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import HOSTS

app = typer.Typer()


def _project(folder: Path) -> Path:
    """Return the project that a folder is in; one is made there if it is in none."""
    from cli.project import begin, project_of

    begin(folder)
    return project_of(folder) or folder


@app.command(rich_help_panel=HOSTS)
def adopt(
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack to write: stacks/Pulumi.STACK.yaml.")],
    hosts: Annotated[list[str], typer.Argument(metavar="[NAME=][USER@]HOST[:PORT]...", help="The hosts to read.")] = [],
    inventory: Annotated[
        Path | None,
        typer.Option(
            "--inventory", metavar="FILE", help="Hosts from Ansible's inventory, an ssh_config, or Stockade's own."
        ),
    ] = None,
    cwd: Annotated[Path, typer.Option("--cwd", "-C", help="The project's folder.")] = Path(),
    identity: Annotated[
        list[str], typer.Option("--identity", "-i", metavar="FILE", help="A private key to log in with, as ssh's -i.")
    ] = [],
    host_key: Annotated[
        list[str],
        typer.Option(
            "--host-key", metavar="SHA256:...", help="Accept this host key; others that no file lists are asked for."
        ),
    ] = [],
    harden: Annotated[
        bool,
        typer.Option("--harden", help="Also write and show what the guide would change, with reasons, as a patch."),
    ] = False,
    preview: Annotated[bool, typer.Option(help="End with the preview of what was written.")] = True,
    json: Annotated[
        bool, typer.Option("--json", help="Print what was read and written as JSON; the rest goes to stderr.")
    ] = False,
) -> None:
    """Read live servers and write the stack config that leaves them as they are. Changes nothing on a host.

    \b
    Example:  stockade adopt root@203.0.113.7 --stack mine

    What a host has already becomes its stack config: users, firewall, sshd,
    bans, updates, listeners. `stockade up` then records it and changes nothing;
    from there on, every line that you change is a diff.

    Hosts are reached as ssh reaches them (~/.ssh/config, agent, jump hosts).
    A password for sudo is asked for, or taken from STOCKADE_SUDO_PASSWORD.
    """
    from adopt.command import main

    if not hosts and inventory is None:
        raise typer.BadParameter("name a host to read, or an --inventory of them")
    status = main(
        hosts,
        stack,
        lambda: _project(cwd),
        identities=identity,
        host_keys=host_key,
        shows_preview=preview,
        hardens=harden,
        inventory=inventory,
        as_json=json,
    )
    raise typer.Exit(status)


@app.command(rich_help_panel=HOSTS)
def init(
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack to write: stacks/Pulumi.STACK.yaml.")],
    host: Annotated[str, typer.Argument(metavar="[NAME=][USER@]HOST[:PORT]", help="The server; asked for.")] = "",
    cwd: Annotated[Path, typer.Option("--cwd", "-C", help="The project's folder.")] = Path(),
    admin: Annotated[str, typer.Option(help="The limited user who administers it; asked for.")] = "",
    web: Annotated[bool | None, typer.Option(help="Whether ports 80 and 443 are open; asked for.")] = None,
    identity: Annotated[
        list[str], typer.Option("--identity", "-i", metavar="FILE", help="A private key to log in with, as ssh's -i.")
    ] = [],
    host_key: Annotated[list[str], typer.Option("--host-key", metavar="SHA256:...", help="Accept this host key.")] = [],
    preview: Annotated[bool, typer.Option(help="End with the preview of what was written.")] = True,
) -> None:
    """Write the stack config of a new server: asks what it cannot know, and explains each line.

    \b
    Example:  stockade init root@203.0.113.7 --stack mine

    For a server that is in use already, `stockade adopt` keeps what it has.
    """
    from adopt.begin import main

    status = main(
        stack,
        lambda: _project(cwd),
        host,
        admin=admin,
        web=web,
        identities=identity,
        host_keys=host_key,
        shows_preview=preview,
    )
    raise typer.Exit(status)

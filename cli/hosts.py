"""`look`, `explain`, `fleet` and `lab`, which have parsers of their own: their help and completion."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import HOSTS, OTHER, STACKS, Cwd, Stack, hosts, one_of, pass_on, passed_on, stacks

app = typer.Typer()
_COMMANDS = ("preview", "up", "refresh", "destroy", "drift", "move")
_Packet = Annotated[
    list[str], typer.Option("--packet", metavar="PACKET", help="Show the way of one alone: tcp A:PORT > B:PORT")
]
_Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@passed_on(app, panel=HOSTS)
def look(
    ctx: typer.Context,
    stack: Stack = "",
    cwd: Cwd = "",
    host: Annotated[
        list[str],
        typer.Option("--host", metavar="NAME", autocompletion=hosts, help="This host alone."),
    ] = [],
    packet: _Packet = [],
    json: _Json = False,
) -> None:
    """Log in and print what listens on the stack's hosts, what filters there, and what can be reached. Changes nothing.

    \b
    Example:  stockade look --stack mine --host web1

    The exit status is 1 if a host could not be read.
    """
    pass_on(ctx)


@passed_on(app, panel=HOSTS)
def explain(
    ctx: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="[FILE]…", help="What is known of the host; - for stdin.")] = [],
    packet: _Packet = [],
    json: _Json = False,
    svg: Annotated[str, typer.Option("--svg", metavar="FILE", help="Draw sources by services into FILE.")] = "",
    ipv4: Annotated[bool, typer.Option("--ipv4", "-4", help="Read the rules as IPv4.")] = False,
    ipv6: Annotated[bool, typer.Option("--ipv6", "-6", help="Read the rules as IPv6.")] = False,
) -> None:
    """Say what a saved ruleset lets in. Needs no host and no stack.

    \b
    Example:  iptables-save | stockade explain

    Reads the output of iptables-save or ip6tables-save, or rules as people
    write them. More files describe more of the host: `nft -j list ruleset`,
    `ipset save`, `ip -j addr`, `ip -j route`.
    """
    pass_on(ctx)


@passed_on(app, panel=STACKS)
def fleet(
    ctx: typer.Context,
    command: Annotated[str, typer.Argument(metavar="|".join(_COMMANDS), autocompletion=one_of(*_COMMANDS))] = "",
    environment: Annotated[
        str, typer.Argument(autocompletion=stacks, help="Its stacks/Pulumi.ENVIRONMENT.yaml has `shard: {of: N}`.")
    ] = "",
    cwd: Cwd = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="up, refresh, destroy and move: do it.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what changes, line by line, where anything does.")] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="up: read the hosts first, and revert drift.")] = False,
    parallel_stacks: Annotated[str, typer.Option("--parallel-stacks", metavar="N", help="Stacks at once.")] = "",
    parallel: Annotated[str, typer.Option("--parallel", "-p", metavar="N", help="Operations at once in a stack.")] = "",
    only: Annotated[str, typer.Option("--only", metavar="3,7", help="These shards alone.")] = "",
    host: Annotated[str, typer.Option("--host", metavar="web7,db1", help="The shards of these hosts alone.")] = "",
    failed: Annotated[
        str, typer.Option("--failed", metavar="FILE.json", help="The shards that failed, by this report.")
    ] = "",
    share: Annotated[str, typer.Option("--share", metavar="2/4", help="The second of four machines' share.")] = "",
    report: Annotated[
        list[str], typer.Option("--report", metavar="FILE", help="Write the result: .md, .json or .xml (JUnit).")
    ] = [],
    connect_timeout: Annotated[
        str, typer.Option("--connect-timeout", metavar="S", help="Seconds to wait for a host that does not answer.")
    ] = "",
    limit: Annotated[str, typer.Option("--limit", metavar="S", help="Seconds that an engine may be silent.")] = "",
) -> None:
    """Run a command on all shards of an environment: stacks that share one config (docs/fleet.md).

    \b
    Example:  stockade fleet drift production --report drift.md

    Exit status: 1 if a stack failed; 7 if `drift` found that a host differs; 2 if
    nothing was run.
    """
    pass_on(ctx)


lab = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Disposable real hosts on this machine, to try things on (docs/lab.md). Needs root on Debian or Ubuntu.",
)
app.add_typer(lab, name="lab", rich_help_panel=OTHER)
_Names = Annotated[list[str], typer.Argument(metavar="[NAME]…")]
_Name = Annotated[str, typer.Argument(metavar="HOST")]
_Words = Annotated[list[str], typer.Argument(metavar="[CMD]…")]


@passed_on(lab, "up")
def lab_up(
    ctx: typer.Context,
    names: _Names = [],
    count: Annotated[str, typer.Option("--count", metavar="N", help="Start web1 to webN.")] = "",
    variant: Annotated[str, typer.Option("--variant", help="Kind of host: debian, fedora, arch, …")] = "",
) -> None:
    """Start hosts (web1, unless named); those that run stay as they are.

    \b
    Example:  stockade lab up web1 --variant arch
    """
    pass_on(ctx)


@passed_on(lab, "down")
def lab_down(
    ctx: typer.Context,
    names: _Names = [],
    purge: Annotated[bool, typer.Option("--purge", help="Remove cached root file systems and keys, too.")] = False,
) -> None:
    """Stop hosts (all of this checkout, unless named) and remove everything of theirs."""
    pass_on(ctx)


@passed_on(lab, "status")
def lab_status(ctx: typer.Context, json: _Json = False) -> None:
    """List this checkout's hosts."""
    pass_on(ctx)


@passed_on(lab, "exec")
def lab_exec(ctx: typer.Context, host: _Name = "", words: _Words = []) -> None:
    """Run a command as root on a host, without SSH. Example: `stockade lab exec web1 iptables -vL`"""
    pass_on(ctx)


@passed_on(lab, "ssh")
def lab_ssh(ctx: typer.Context, host: _Name = "", words: _Words = []) -> None:
    """Log in to a host as root over SSH, or run a command there."""
    pass_on(ctx)


@passed_on(lab, "reboot")
def lab_reboot(
    ctx: typer.Context,
    host: _Name = "",
    hard: Annotated[bool, typer.Option("--hard", help="Without shutting down, as when the power fails.")] = False,
) -> None:
    """Reboot a host and wait until sshd answers."""
    pass_on(ctx)


@passed_on(lab, "reset")
def lab_reset(ctx: typer.Context, names: _Names = []) -> None:
    """Restore the pristine disk of hosts, freshly booted."""
    pass_on(ctx)


@passed_on(lab, "cut")
def lab_cut(ctx: typer.Context, host: _Name = "") -> None:
    """Pull a host's network cable."""
    pass_on(ctx)


@passed_on(lab, "mend")
def lab_mend(ctx: typer.Context, host: _Name = "") -> None:
    """Put the cable back."""
    pass_on(ctx)

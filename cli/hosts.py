"""`look`, `explain`, `fleet` and `lab`, which have parsers of their own: their help and completion."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import HOSTS, OTHER, STACKS, Cwd, Stack, hosts, one_of, passed_on, stacks

app = typer.Typer()
_COMMANDS = ("preview", "up", "refresh", "destroy", "drift", "move")
_Packet = Annotated[
    list[str], typer.Option("--packet", metavar="PACKET", help="Follow one packet: tcp A:PORT > B:PORT")
]
_Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@passed_on(
    app,
    {
        "stack": Stack,
        "cwd": Cwd,
        "host": Annotated[
            list[str],
            typer.Option("--host", metavar="NAME", autocompletion=hosts, help="Only this host."),
        ],
        "packet": _Packet,
        "json": _Json,
    },
    panel=HOSTS,
)
def look() -> None:
    """Log in and print what listens on the stack's hosts, what filters there, and what can be reached. Changes nothing.

    \b
    Example:  stockade look --stack mine --host web1

    The exit status is 1 if a host could not be read.
    """


@passed_on(
    app,
    {
        "files": Annotated[
            list[str], typer.Argument(metavar="[FILE]…", help="What is known of the host; - for stdin.")
        ],
        "packet": _Packet,
        "json": _Json,
        "svg": Annotated[str, typer.Option("--svg", metavar="FILE", help="Draw sources by services into FILE.")],
        "ipv4": Annotated[bool, typer.Option("--ipv4", "-4", help="Read the rules as IPv4.")],
        "ipv6": Annotated[bool, typer.Option("--ipv6", "-6", help="Read the rules as IPv6.")],
    },
    panel=HOSTS,
)
def explain() -> None:
    """Say what a saved ruleset lets in. Needs no host and no stack.

    \b
    Example:  iptables-save | stockade explain

    Reads the output of iptables-save or ip6tables-save, or rules as people
    write them. More files describe more of the host: `nft -j list ruleset`,
    `ipset save`, `ip -j addr`, `ip -j route`.
    """


@passed_on(
    app,
    {
        "command": Annotated[str, typer.Argument(metavar="|".join(_COMMANDS), autocompletion=one_of(*_COMMANDS))],
        "environment": Annotated[
            str, typer.Argument(autocompletion=stacks, help="Its stacks/Pulumi.ENVIRONMENT.yaml has `shard: {of: N}`.")
        ],
        "cwd": Cwd,
        "yes": Annotated[bool, typer.Option("--yes", "-y", help="up, refresh, destroy and move: do it.")],
        "diff": Annotated[bool, typer.Option("--diff", help="Show what changes, line by line.")],
        "refresh": Annotated[bool, typer.Option("--refresh", help="up: read the hosts first, and revert drift.")],
        "parallel_stacks": Annotated[str, typer.Option("--parallel-stacks", metavar="N", help="Stacks at once.")],
        "parallel": Annotated[
            str, typer.Option("--parallel", "-p", metavar="N", help="Operations at once in a stack.")
        ],
        "only": Annotated[str, typer.Option("--only", metavar="3,7", help="Only these shards.")],
        "host": Annotated[str, typer.Option("--host", metavar="web7,db1", help="Only the shards of these hosts.")],
        "failed": Annotated[
            str,
            typer.Option("--failed", metavar="FILE.json", help="Only the shards that failed according to this report."),
        ],
        "share": Annotated[
            str, typer.Option("--share", metavar="2/4", help="The second of four shares, one for each machine.")
        ],
        "report": Annotated[
            list[str], typer.Option("--report", metavar="FILE", help="Write the result: .md, .json or .xml (JUnit).")
        ],
        "connect_timeout": Annotated[
            str, typer.Option("--connect-timeout", metavar="S", help="Seconds to wait for a host that does not answer.")
        ],
        "limit": Annotated[str, typer.Option("--limit", metavar="S", help="Seconds that an engine may be silent.")],
    },
    panel=STACKS,
)
def fleet() -> None:
    """Run a command on all shards of an environment: stacks that share one config (docs/fleet.md).

    \b
    Example:  stockade fleet drift production --report drift.md

    Exit status: 1 if a stack failed; 7 if `drift` found that a host differs; 2 if
    nothing was run.
    """


lab = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Disposable real hosts on this machine, to try things on (docs/lab.md). Needs root on Debian or Ubuntu.",
)
app.add_typer(lab, name="lab", rich_help_panel=OTHER)
_Names = Annotated[list[str], typer.Argument(metavar="[NAME]…")]
_Name = Annotated[str, typer.Argument(metavar="HOST")]
_Words = Annotated[list[str], typer.Argument(metavar="[CMD]…")]


@passed_on(
    lab,
    {
        "names": _Names,
        "count": Annotated[str, typer.Option("--count", metavar="N", help="Start web1 to webN.")],
        "variant": Annotated[str, typer.Option("--variant", help="Kind of host: debian, fedora, arch, …")],
    },
    "up",
)
def lab_up() -> None:
    """Start hosts (web1, unless named); those that run stay as they are.

    \b
    Example:  stockade lab up web1 --variant arch
    """


@passed_on(
    lab,
    {
        "names": _Names,
        "purge": Annotated[bool, typer.Option("--purge", help="Remove cached root file systems and keys, too.")],
    },
    "down",
)
def lab_down() -> None:
    """Stop hosts (all of this checkout, unless named) and remove everything of theirs."""


@passed_on(lab, {"json": _Json}, "status")
def lab_status() -> None:
    """List this checkout's hosts."""


@passed_on(lab, {"host": _Name, "words": _Words}, "exec")
def lab_exec() -> None:
    """Run a command as root on a host, without SSH. Example: `stockade lab exec web1 iptables -vL`"""


@passed_on(lab, {"host": _Name, "words": _Words}, "ssh")
def lab_ssh() -> None:
    """Log in to a host as root over SSH, or run a command there."""


@passed_on(
    lab,
    {
        "host": _Name,
        "hard": Annotated[bool, typer.Option("--hard", help="Without shutting down, as when the power fails.")],
    },
    "reboot",
)
def lab_reboot() -> None:
    """Reboot a host and wait until sshd answers."""


@passed_on(lab, {"names": _Names}, "reset")
def lab_reset() -> None:
    """Restore the pristine disk of hosts, freshly booted."""


@passed_on(lab, {"host": _Name}, "cut")
def lab_cut() -> None:
    """Pull a host's network cable."""


@passed_on(lab, {"host": _Name}, "mend")
def lab_mend() -> None:
    """Put the cable back."""

"""The command line: stockade lab COMMAND. A failure is one sentence and exit status 2."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from local.lab import keys
from local.lab.api import HostStatus, Lab
from local.lab.errors import LabError
from local.lab.images.variants import VARIANTS
from local.lab.machine import check_machine
from local.lab.progress import Progress

CANNOT = 2
DESCRIPTION = "Disposable real hosts on this machine: systemd, sshd, netfilter and apt each, without any route out."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = parser().parse_args(argv)
    command: Callable[[Lab, argparse.Namespace], int] = options.command
    try:
        check_machine()
        return command(Lab(progress=Progress()), options)
    except LabError as err:
        sys.stderr.write(f"lab: {err}\n")
        return CANNOT
    except OSError as err:  # for example a full disk or a read-only cache
        sys.stderr.write(f"lab: {err}\n")
        return CANNOT
    except KeyboardInterrupt:
        sys.stderr.write("lab: interrupted; stockade lab down clears up\n")
        return 130


def parser() -> argparse.ArgumentParser:
    """The parser for all options."""
    top = argparse.ArgumentParser(prog="stockade lab", description=DESCRIPTION)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function: Callable[[Lab, argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=function)
        return sub

    up = add("up", _up, "start hosts (default: web1); those that run already stay as they are")
    up.add_argument("names", nargs="*", metavar="NAME")
    up.add_argument("--count", type=int, metavar="N", help="start web1 to webN")
    up.add_argument("--variant", choices=sorted(VARIANTS), default="debian", help="kind of host (default: debian)")
    down = add("down", _down, "stop hosts (default: all of this checkout) and remove everything of theirs")
    down.add_argument("names", nargs="*", metavar="NAME")
    down.add_argument("--purge", action="store_true", help="remove the cached root file systems and host keys too")
    status = add("status", _status, "list this checkout's hosts")
    status.add_argument("--json", action="store_true", help="as JSON (a stable format)")
    for name, function, text in (
        ("exec", _exec, "run a command as root on a host, without SSH"),
        ("ssh", _ssh, "log in to a host as root over SSH, or run a command there"),
    ):
        sub = add(name, function, text)
        sub.add_argument("host", metavar="HOST")
        sub.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD")
    reboot = add("reboot", _reboot, "reboot a host and wait until sshd answers")
    reboot.add_argument("host", metavar="HOST")
    reboot.add_argument("--hard", action="store_true", help="without shutting down, as when the power fails")
    reset = add("reset", _reset, "put hosts back to their pristine disk, freshly booted")
    reset.add_argument("names", nargs="+", metavar="NAME")
    for name, function, text in (("cut", _cut, "pull a host's network cable"), ("mend", _mend, "put it back")):
        add(name, function, text).add_argument("host", metavar="HOST")
    return top


def _up(lab: Lab, options: argparse.Namespace) -> int:
    names = list(options.names)
    if options.count is not None:
        if options.count < 1:
            raise LabError("--count needs a number of 1 or more")
        names += [f"web{number}" for number in range(1, options.count + 1)]
    hosts = lab.up(names or ["web1"], options.variant)
    _print_table([host.status() for host in hosts])
    sys.stdout.write(f"\nLog in:  ssh -F {keys.ssh_config_file(lab.places)} {hosts[0].name}\n")
    return 0


def _down(lab: Lab, options: argparse.Namespace) -> int:
    if not lab.down(options.names or None):
        sys.stderr.write("no host was up\n")
    if options.purge:
        lab.purge()
    return 0


def _status(lab: Lab, options: argparse.Namespace) -> int:
    statuses = [host.status() for host in lab.hosts()]
    if options.json:
        sys.stdout.write(json.dumps([asdict(status) for status in statuses], indent=2) + "\n")
    elif statuses:
        _print_table(statuses)
    else:
        sys.stdout.write("no hosts; start one with: stockade lab up\n")
    return 0


def _exec(lab: Lab, options: argparse.Namespace) -> int:
    words = _command_words(options)
    if not words:
        raise LabError(f"exec needs a command: stockade lab exec {options.host} iptables-save")
    argv = lab.host(options.host).enter_argv(words)
    sys.stdout.flush()
    os.execvp(argv[0], argv)  # noqa: S606 - keeps our stdin, stdout and exit status


def _ssh(lab: Lab, options: argparse.Namespace) -> int:
    lab.host(options.host)  # raises if it does not exist
    os.execvp("ssh", ["ssh", "-F", str(keys.ssh_config_file(lab.places)), options.host, *_command_words(options)])  # noqa: S606


def _command_words(options: argparse.Namespace) -> list[str]:
    words: list[str] = options.words
    return words[1:] if words[:1] == ["--"] else words


def _reboot(lab: Lab, options: argparse.Namespace) -> int:
    with Progress().step(f"rebooting {options.host}"):
        lab.host(options.host).reboot(hard=options.hard)
    return 0


def _reset(lab: Lab, options: argparse.Namespace) -> int:
    for name in options.names:
        with Progress().step(f"resetting {name}"):
            lab.host(name).reset()
    return 0


def _cut(lab: Lab, options: argparse.Namespace) -> int:
    lab.host(options.host).cut()
    return 0


def _mend(lab: Lab, options: argparse.Namespace) -> int:
    lab.host(options.host).mend()
    return 0


def _print_table(statuses: Sequence[HostStatus]) -> None:
    rows = [("NAME", "VARIANT", "STATE", "IPV4", "IPV6", "BOOTS")]
    rows += [(s.name, s.variant, s.state, s.ipv4, s.ipv6, str(s.boots)) for s in statuses]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")

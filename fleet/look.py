"""`python -m fleet.look --stack S`: the state of the stack's hosts, before anything is changed.

Logs in and prints, for each host, what listens, what firewalls it and which iptables rules are in force, as the guide
has an administrator look first (`netstat -tulpn`, `iptables -L`). Changes nothing, neither on hosts nor in the state.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from components.failure import Failure
from components.firewall.controllers.others import in_words
from components.firewall.ruleset.chapter import RulesetChapter
from components.firewall.ruleset.reachable import reachable, way
from components.firewall.ruleset.settings import RulesetFacts, RulesetInputs
from components.listeners.chapter import ListenerChapter
from components.listeners.settings import ListenerInputs
from components.stack_config import ConfigError, parse
from hosts.errors import HostError, understanding
from hosts.host import Host
from hosts.pool import connection_pool
from hosts.scripts import script
from hosts.shell import Script
from hosts.ssh.connection import HostAccess
from hosts.system.files import FILE_EXITS
from hosts.text.masking import printable
from local.engine.errors import EngineError
from local.engine.state.project import Config, Project, StackSettings, load_project, load_stack, resolve_config
from local.engine.state.session import open_session
from rules.analysis.reachability import TooIntricateError
from rules.errors import ExpectedError
from rules.path.described import Described, packet_text, read_packet
from rules.path.trace import Tracer
from rules.values.family import Family

AT_ONCE = 16
"""The most hosts to look at in parallel."""
_BESIDE = Script("see what filters beside iptables", script("components/firewall/ruleset/beside.sh"), exits=FILE_EXITS)


def config_of(stack: str, folder: Path) -> dict[str, Any]:
    """The stack's config by name, decrypted. Raises `EngineError`.

    The stack need not exist yet, and no passphrase is needed if nothing is secret. Only secrets encrypted with a
    passphrase are decrypted here; others are left to the CLI.
    """
    project = load_project(folder)
    settings = load_stack(project, stack)
    if not settings.file.is_file():
        raise EngineError(f"{settings.file}: no such file, so there is no stack {stack}")
    try:
        found = {key: value.text for key, value in _resolved(project, settings, folder, stack).items()}
    except EngineError:
        cli = shutil.which("pulumi")
        if cli is None:
            raise
        asked = [cli, "config", "--stack", stack, "--cwd", str(folder), "--show-secrets", "--json"]
        done = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EngineError(done.stderr.strip().removeprefix("error: ")) from None
        found = {key: entry.get("value", "") for key, entry in json.loads(done.stdout).items()}
    return {key.partition(":")[2]: _json(text) for key, text in found.items()}


def _resolved(project: Project, settings: StackSettings, folder: Path, stack: str) -> Config:
    try:
        return resolve_config(project, settings, None)
    except EngineError:  # there are secrets
        return open_session(folder, stack, create=True).config()


def looked(access: HostAccess, packets: Sequence[Described] = ()) -> tuple[bool, list[str]]:
    """Whether a host could be read, and the lines about it; with `packets`, only their paths."""
    try:
        host = connection_pool().host(access)
        host.connect()
        found = _ways(host, packets) if packets else [*_listening(host), *_filtering(host)]
        lines = [f"{access.name}: logged in as {host.user}", *found]
    except (HostError, Failure) as error:
        return False, [f"{access.name}: {error}"]
    return True, lines


def _listening(host: Host) -> list[str]:
    chapter, inputs = ListenerChapter(), ListenerInputs(host=host.name)
    answer = host.read(chapter.observe(inputs))
    with understanding(host.name, "", "see what listens"):
        seen = chapter.parse(inputs, answer)
    if not seen.tool:
        return ["  what listens: neither ss nor netstat is there"]
    return [*_block("listens on the network", seen.listening), *_block("listens on the loopback", seen.loopback)]


def _ways(host: Host, packets: Sequence[Described]) -> list[str]:
    chapter, beside = RulesetChapter(), host.read(_BESIDE).sections
    lines = []
    for asked in packets:
        family = asked.packet.family
        answer = host.read(chapter.observe(RulesetInputs(host=host.name, family=family, rules="")))
        point = Tracer(family, ()).begun(asked.packet, asked.unknown)
        try:
            followed = way({**answer.sections, **beside}, asked)
        except (TooIntricateError, ValueError) as error:
            followed = (f"not worked out: {error}",)
        lines += _block(packet_text(point, family), followed)
    return lines


def _filtering(host: Host) -> list[str]:
    chapter, beside = RulesetChapter(), host.read(_BESIDE).sections
    lines: list[str] = []
    others: dict[str, None] = {}
    for family in Family:
        inputs = RulesetInputs(host=host.name, family=family, rules="")
        try:
            answer = host.read(chapter.observe(inputs))
        except HostError as error:
            lines += _block(f"{family.label} rules", (str(error),))
            continue
        with understanding(host.name, "", f"look at the {family.label} rules"):
            seen: RulesetFacts = chapter.parse(inputs, answer)
            saved = answer.sections["saved"]
        others |= dict.fromkeys(in_words(line) for line in seen.controller.splitlines())
        rules = [line for line in saved.splitlines() if line.startswith(("*", "-A ")) or _closed(line)]
        lines += _block(f"{family.label} rules", rules)
        lines += _block(f"{family.label}, reachable by these", _exposed({**answer.sections, **beside}, family))
    return [*_block("other firewalls", others), *lines]


def _closed(line: str) -> bool:
    """Whether a line is about a policy other than the usual one."""
    return line.startswith(":") and " DROP " in line


def _exposed(sections: Mapping[str, str], family: Family) -> Sequence[str]:
    try:
        return reachable(sections, family)
    except (TooIntricateError, ValueError) as error:
        return (f"not worked out: {error}",)


def _block(title: str, lines: Iterable[str]) -> list[str]:
    found = [*lines]
    return [f"  {title}:", *(f"    {line}" for line in found)] if found else [f"  {title}: nothing"]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at all hosts of a stack; the exit status is 1 if one could not be read."""
    top = argparse.ArgumentParser(prog="python -m fleet.look", description="What is on the hosts of a stack.")
    top.add_argument("--stack", "-s", required=True, help="the stack; it need not exist yet")
    top.add_argument("--cwd", "-C", type=Path, default=Path(), help="the project's folder")
    top.add_argument("--host", action="append", metavar="NAME", help="this host alone; may be given several times")
    top.add_argument(
        "--packet", action="append", default=[], metavar="PACKET", help="show the way of one alone: tcp A:PORT > B:PORT"
    )
    options = top.parse_args(arguments)
    os.chdir(options.cwd)  # paths in the config are relative to it
    try:
        packets = [read_packet(text) for text in options.packet]
        access = parse(config_of(options.stack, Path()), options.stack).access()
        if missing := [name for name in options.host or () if name not in access]:
            raise ConfigError(f"stack {options.stack} has no host {', '.join(missing)}")
    except (EngineError, ConfigError, ExpectedError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 1
    chosen = [one for name, one in access.items() if not options.host or name in options.host]
    good = True
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for well, lines in pool.map(partial(looked, packets=packets), chosen):
            good &= well
            print(printable("\n".join(lines)), flush=True)
    connection_pool().close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

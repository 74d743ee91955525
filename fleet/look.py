"""`stockade look --stack S`: the state of the stack's hosts, before anything is changed.

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
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

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


class Block(NamedTuple):
    """Lines of an answer under a title; `missing`: why there are none."""

    title: str
    lines: Sequence[str]
    missing: str = "nothing"

    def text(self) -> list[str]:
        """Return it for people."""
        if not self.lines:
            return [f"  {self.title}: {self.missing}"]
        return [f"  {self.title}:", *(f"    {line}" for line in self.lines)]


@dataclass(frozen=True)
class Looked:
    """What is on one host; `error`: why it could not be read."""

    name: str
    user: str = ""
    blocks: tuple[Block, ...] = ()
    error: str = ""

    def text(self) -> str:
        """Return it for people."""
        if self.error:
            return f"{self.name}: {self.error}"
        lines = [line for block in self.blocks for line in block.text()]
        return "\n".join((f"{self.name}: logged in as {self.user}", *lines))

    def document(self) -> dict[str, Any]:
        """Return it for programs."""
        seen = {block.title: list(block.lines) for block in self.blocks}
        return {"host": self.name, "user": self.user or None, "error": self.error or None, "seen": seen}


def looked(access: HostAccess, packets: Sequence[Described] = ()) -> Looked:
    """Look at one host; with `packets`, only at their paths."""
    try:
        host = connection_pool().host(access)
        host.connect()
        blocks = _ways(host, packets) if packets else [*_listening(host), *_filtering(host)]
        return Looked(access.name, host.user, tuple(blocks))
    except (HostError, Failure) as error:
        return Looked(access.name, error=str(error).removeprefix(f"{access.name}: "))


def _listening(host: Host) -> list[Block]:
    chapter, inputs = ListenerChapter(), ListenerInputs(host=host.name)
    answer = host.read(chapter.observe(inputs))
    with understanding(host.name, "", "see what listens"):
        seen = chapter.parse(inputs, answer)
    if not seen.tool:
        return [Block("what listens", (), "neither ss nor netstat is there")]
    return [Block("listens on the network", seen.listening), Block("listens on the loopback", seen.loopback)]


def _ways(host: Host, packets: Sequence[Described]) -> list[Block]:
    chapter, beside = RulesetChapter(), host.read(_BESIDE).sections
    blocks = []
    for asked in packets:
        family = asked.packet.family
        answer = host.read(chapter.observe(RulesetInputs(host=host.name, family=family, rules="")))
        point = Tracer(family, ()).begun(asked.packet, asked.unknown)
        try:
            followed = way({**answer.sections, **beside}, asked)
        except (TooIntricateError, ValueError) as error:
            followed = (f"not worked out: {error}",)
        blocks.append(Block(packet_text(point, family), followed))
    return blocks


def _filtering(host: Host) -> list[Block]:
    chapter, beside = RulesetChapter(), host.read(_BESIDE).sections
    blocks: list[Block] = []
    others: dict[str, None] = {}
    for family in Family:
        inputs = RulesetInputs(host=host.name, family=family, rules="")
        try:
            answer = host.read(chapter.observe(inputs))
        except HostError as error:
            blocks.append(Block(f"{family.label} rules", (str(error),)))
            continue
        with understanding(host.name, "", f"look at the {family.label} rules"):
            seen: RulesetFacts = chapter.parse(inputs, answer)
            saved = answer.sections["saved"]
        others |= dict.fromkeys(in_words(line) for line in seen.controller.splitlines())
        rules = [line for line in saved.splitlines() if line.startswith(("*", "-A ")) or _closed(line)]
        blocks.append(Block(f"{family.label} rules", rules))
        exposed = _exposed({**answer.sections, **beside}, family)
        blocks.append(Block(f"{family.label}, reachable by these", exposed))
    return [Block("other firewalls", [*others]), *blocks]


def _closed(line: str) -> bool:
    """Whether a line is about a policy other than the usual one."""
    return line.startswith(":") and " DROP " in line


def _exposed(sections: Mapping[str, str], family: Family) -> Sequence[str]:
    try:
        return reachable(sections, family)
    except (TooIntricateError, ValueError) as error:
        return (f"not worked out: {error}",)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at all hosts of a stack; the exit status is 1 if one could not be read."""
    options = parser().parse_args(arguments)
    try:
        os.chdir(load_project(options.cwd).root)  # paths in the config are relative to it
        packets = [read_packet(text) for text in options.packet]
        access = parse(config_of(options.stack, Path()), options.stack).access()
        if missing := [name for name in options.host or () if name not in access]:
            raise ConfigError(f"stack {options.stack} has no host {', '.join(missing)}")
    except (EngineError, ConfigError, ExpectedError, OSError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 1
    chosen = [one for name, one in access.items() if not options.host or name in options.host]
    seen: list[Looked] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for one in pool.map(partial(looked, packets=packets), chosen):
            seen.append(one)
            if not options.json:
                print(printable(one.text()), flush=True)
    if options.json:
        print(json.dumps([one.document() for one in seen], indent=2))
    connection_pool().close()
    return int(any(one.error for one in seen))


def parser() -> argparse.ArgumentParser:
    """The parser for all options."""
    top = argparse.ArgumentParser(prog="stockade look", description="What is on the hosts of a stack.")
    top.add_argument("--stack", "-s", required=True, help="the stack; it need not exist yet")
    top.add_argument("--cwd", "-C", type=Path, default=Path(), help="the project's folder")
    top.add_argument("--host", action="append", metavar="NAME", help="this host alone; may be given several times")
    top.add_argument(
        "--packet", action="append", default=[], metavar="PACKET", help="show the way of one alone: tcp A:PORT > B:PORT"
    )
    top.add_argument("--json", action="store_true", help="answer in JSON")
    return top


if __name__ == "__main__":
    sys.exit(main())

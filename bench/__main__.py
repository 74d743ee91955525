"""`python -m bench`: Stockade compared with the tools that users would otherwise choose, on the same disposable hosts.

Needs root on Linux (the lab). `--publish` writes the result to docs/performance.md and docs/performance.svg.
"""

import argparse
import sys
import time
from pathlib import Path

from bench.costs import tables
from bench.costs.goals import goals
from bench.kept import Kept
from bench.report import publish, table
from bench.series import Sample, run
from bench.tools.ansible import Ansible
from bench.tools.base import Tool
from bench.tools.pulumi_command import PulumiCommand
from bench.tools.pyinfra import Pyinfra
from bench.tools.raw import Raw
from bench.tools.stockade import Cli, Embedded
from local.lab.api import Lab
from local.lab.errors import LabError

TOOLS: tuple[type[Tool], ...] = (Raw, Embedded, Cli, PulumiCommand, Pyinfra, Ansible)
WORK = Path(__file__).parents[1] / ".bench"
FILE = WORK / "samples.json"


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, optionally publish; returns the exit status: 1 if a tool's result was wrong."""
    options = _parser().parse_args(arguments)
    chosen = _chosen(options.tools)
    WORK.mkdir(exist_ok=True)
    names_chosen = [tool.name for tool in chosen]
    kept = Kept.read(FILE, names_chosen, options.hosts) if options.add else Kept()
    kept.begin(
        " ".join(["python -m bench", *(arguments or sys.argv[1:])]), {tool.name: tool.version() for tool in chosen}
    )
    lab = Lab()
    begun = time.monotonic()
    names = [f"{options.prefix}{number}" for number in range(1, max(options.hosts) + 1)]
    try:
        for count in options.hosts:
            hosts = lab.up(names[:count])
            for number in range(options.runs):
                turn = number % len(chosen)
                for tool in (*chosen[turn:], *chosen[:turn]):
                    kept.samples += run(tool, hosts, options.repeats, _tell, WORK)
                    kept.write(FILE)
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    finally:
        lab.down(names)
    ordered = sorted(kept.samples, key=lambda sample: [tool.name for tool in TOOLS].index(sample.tool))
    for count in sorted({sample.hosts for sample in ordered}):
        print(f"\n{count} host{'s' if count > 1 else ''}, seconds\n{table(ordered, count)}")
        print(f"\n{tables.table(ordered, count)}")
    print(f"\n{goals(ordered)}")
    print(f"\n{time.monotonic() - begun:.0f} s in all")
    if options.publish:
        publish(ordered, kept.versions, kept.commands)
    return int(any(sample.fault for sample in ordered))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    names = ",".join(tool.name for tool in TOOLS)
    parser.add_argument("--hosts", type=_counts, default=(1, 8), metavar="N,N", help="numbers of hosts (1,8)")
    parser.add_argument("--runs", type=int, default=1, help="first applies of each tool, on fresh hosts (1)")
    parser.add_argument("--repeats", type=int, default=2, help="times each other phase is measured in a run (2)")
    parser.add_argument("--tools", default=names, help=f"some of {names}; those that are not there are left out")
    parser.add_argument("--prefix", default="bench", help="the lab hosts' names start with this (bench)")
    parser.add_argument("--add", action="store_true", help="keep what was measured before with other tools or hosts")
    parser.add_argument("--publish", action="store_true", help="write docs/performance.md and docs/performance.svg")
    return parser


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(int(word) for word in text.split(","))
    if min(counts) < 1:
        raise argparse.ArgumentTypeError("1 host or more")
    return counts


def _chosen(names: str) -> list[type[Tool]]:
    """The tools of these names that can run here; reports the others."""
    wanted = names.split(",")
    unknown = set(wanted) - {tool.name for tool in TOOLS}
    if unknown:
        raise SystemExit(f"bench: no such tool: {', '.join(sorted(unknown))}")
    found = []
    for tool in TOOLS:
        if tool.name not in wanted:
            continue
        why = tool.missing()
        if why:
            print(f"{tool.name} is left out: {why}")
        else:
            found.append(tool)
    return found


def _tell(sample: Sample) -> None:
    logins = "" if sample.looked is None else f"; logged in to {sample.looked}"
    verdict = f"NOT COUNTED: {sample.fault}" if sample.fault else f"verified{logins}"
    print(
        f"{sample.tool:15} {sample.hosts:2} hosts  {sample.phase:17} {sample.wall:7.2f} s  "
        f"CPU {sample.cpu:6.2f} s  {sample.memory / 1e6:5.0f} MB  {verdict}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())

"""How long the analysis of rulesets takes: `python -m bench.analysis.reachability [KIND ...] [--sizes 100,1000]`.

Prints a row for each kind of ruleset (`rulesets.py`) and number of rules, each measured in its own process: seconds
on one core for parsing the text, what happens to every packet, the exposure and its number of lines, dead and redundant
rules, and the difference to the ruleset without its middle rule. The last column is the peak memory of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from time import process_time

from bench.analysis.rulesets import KINDS, ruleset
from rules.analysis.reachability import analyse, difference
from rules.model import Ruleset

SIZES = (100, 1_000, 10_000)
# Rules that differ in every field at once multiply; more of them would take minutes.
MOST = {"everything": 300}
COLUMNS = ("parse", "analyse", "exposure", "lines", "dead", "redundant", "difference", "peak MB")
_LIMIT = 600


def measured(kind: str, size: int) -> dict[str, float]:
    """The columns of one row."""
    row: dict[str, float] = {}

    def timed(column: str, work: Callable[[], object]) -> object:
        start = process_time()
        try:
            return work()
        finally:
            row[column] = round(process_time() - start, 2)

    rules = timed("parse", lambda: ruleset(kind, size))
    assert isinstance(rules, Ruleset)
    chain = "FORWARD" if kind == "docker" else "INPUT"
    analysis = analyse(rules)
    timed("analyse", lambda: analysis.accepted(chain))
    lines = timed("exposure", lambda: analysis.exposure(chain))
    assert isinstance(lines, tuple)
    row["lines"] = len(lines)
    timed("dead", analysis.shadowed)
    timed("redundant", analysis.redundant)
    timed("difference", lambda: difference(_shorter(rules), rules, chain))
    row["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return row


def _shorter(rules: Ruleset) -> Ruleset:
    """The ruleset without the middle rule of its longest chain."""
    table = rules.tables[0]
    longest = max(table.chains, key=lambda chain: len(chain.rules))
    middle = len(longest.rules) // 2
    cut = replace(longest, rules=(*longest.rules[:middle], *longest.rules[middle + 1 :]))
    chains = tuple(cut if chain is longest else chain for chain in table.chains)
    return replace(rules, tables=(replace(table, chains=chains), *rules.tables[1:]))


def main() -> int:
    """The command line. Exit status 1 if a row could not be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.analysis.reachability", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; all when missing")
    parser.add_argument("--sizes", type=lambda text: tuple(map(int, text.split(","))), default=SIZES)
    parser.add_argument("--row", action="store_true", help="measure one kind and size here, and print JSON")
    given = parser.parse_args()
    if unknown := set(given.kinds) - set(KINDS):
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    if given.row:
        print(json.dumps(measured(given.kinds[0], given.sizes[0])))
        return 0
    print("".join(f"{title:>12}" for title in ("kind", "rules", *COLUMNS)))
    results = [_printed(kind, size) for kind in given.kinds or KINDS for size in given.sizes]
    return 0 if all(results) else 1


def _printed(kind: str, size: int) -> bool:
    """Print one row; False if it failed."""
    if size > MOST.get(kind, size):
        print(f"{kind:>12}{size:>12}   left out: such rules multiply")
        return True
    command = [sys.executable, "-m", "bench.analysis.reachability", "--row", "--sizes", str(size), kind]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        why = f"more than {_LIMIT} s" if isinstance(error, subprocess.TimeoutExpired) else error.stderr.splitlines()[-1]
        print(f"{kind:>12}{size:>12}   {why}", flush=True)
        return False
    row = json.loads(done.stdout)
    print("".join(f"{cell:>12}" for cell in (kind, size, *(row[column] for column in COLUMNS))), flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())

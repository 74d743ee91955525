"""How long answers about all tables take: `python -m bench.analysis.paths [KIND ...] [--sizes 100,1000]`.

Prints a row for each kind of ruleset (`rulesets.py`; `published`: a NAT rule and a filter rule for each port) and
number of rules, each measured in its own process: seconds on one core for parsing the text and for who can reach what
through all tables, the number of lines in the answer, and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from time import process_time

from bench.analysis.rulesets import ruleset
from rules.language.parse import parse
from rules.model import Ruleset
from rules.path.answers import PathAnswers
from rules.path.layers import layers
from rules.path.network import read_network
from rules.values.family import Family

_KINDS = ("services", "blocklist", "interleaved", "chains", "fail2ban", "published")
_ADDRESSES = "2: eth0    inet 203.0.113.5/24 brd +\n3: docker0    inet 172.17.0.1/16 brd +\n"
_ROUTES = "default via 203.0.113.1 dev eth0\n172.17.0.0/16 dev docker0\n203.0.113.0/24 dev eth0\n"


def published(size: int) -> Ruleset:
    """Half of the rules translate a port, the others accept its forwarding."""
    nat, accepting = [], []
    for number in range(size // 2):
        to, port = f"172.17.{number // 250}.{number % 250 + 2}", number % 50 + 80
        nat.append(f"-A DOCKER ! -i docker0 -p tcp --dport {10000 + number} -j DNAT --to-destination {to}:{port}")
        accepting.append(f"-A DOCKER -d {to} ! -i docker0 -o docker0 -p tcp --dport {port} -j ACCEPT")
    head = "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"
    tables = (
        ("nat", ":DOCKER - [0:0]", head, *nat),
        ("filter", ":INPUT DROP", ":FORWARD DROP", ":DOCKER - [0:0]", "-A FORWARD -o docker0 -j DOCKER", *accepting),
    )
    return parse("\n".join(f"*{name}\n" + "\n".join(lines) + "\nCOMMIT" for name, *lines in tables), Family.IPV4)


def _row(kind: str, size: int) -> str:
    begun = process_time()
    rules = published(size) if kind == "published" else ruleset(kind, size)
    parsed = process_time()
    lines = PathAnswers(rules.family, layers(rules), read_network(rules.family, _ADDRESSES, _ROUTES, "1")).lines()
    done = process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return "".join(
        f"{cell:>12}" for cell in (kind, size, f"{parsed - begun:.2f}", f"{done - parsed:.2f}", len(lines), peak)
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.analysis.paths", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(_KINDS)}; all when missing")
    parser.add_argument("--sizes", type=lambda text: tuple(map(int, text.split(","))), default=(100, 1_000, 10_000))
    parser.add_argument("--row", action="store_true", help="measure one kind and size here")
    given = parser.parse_args()
    if given.row:
        print(_row(given.kinds[0], given.sizes[0]))
        return 0
    print("".join(f"{title:>12}" for title in ("kind", "rules", "parse", "reached", "lines", "peak MB")), flush=True)
    for kind in given.kinds or _KINDS:
        for size in given.sizes:
            command = [sys.executable, "-m", "bench.analysis.paths", "--row", "--sizes", str(size), kind]
            subprocess.run(command, timeout=600, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The answers of this machine's iptables to single rules: the text that it prints for each, or a refusal.

    python -m tests.kernel.language.judge nft ipv4 <cases.json

Runs in its own network namespace (`ask` does that). Cases are a list of ``[table, chain, rule, likely]``, the answer is
a list of texts and nulls. Rules that are likely to be accepted are loaded many at a time; if that is refused, each half
is tried.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from hosts.text.rawtext import to_bytes, to_text
from rules.model import BUILTIN_CHAINS
from rules.values.family import Family
from tests.kernel.language.cases import Case
from tests.kernel.language.objects import make_set
from tests.kernel.language.recorded import BACKENDS

# A user chain that rules may jump to, in each table.
USER_CHAIN = "other"
_AT_ONCE = 100
_MARK = "-m comment --comment case-"
Answers = list[str | None]


def versions() -> str:
    """The versions of this machine's iptables."""
    found = [
        subprocess.run([f"iptables-{backend}", "-V"], capture_output=True, text=True, check=True).stdout.strip()
        for backend in BACKENDS
    ]
    return ", ".join(found)


def ask(cases: Sequence[Case], likely: Sequence[bool], backend: str, family: Family) -> Answers:
    """The printed text of each rule, without ``-A CHAIN``, or None if it is refused.

    ``likely``: whether a rule is expected to be accepted; this affects only the time, not the answer.
    """
    asked = [(case.table, case.chain, case.rule, guess) for case, guess in zip(cases, likely, strict=True)]
    run = subprocess.run(
        ["unshare", "-n", sys.executable, "-m", __name__, backend, family.value],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"{backend} {family.value}: {run.stderr}")
    answers: Answers = json.loads(run.stdout)
    return answers


def ask_all(cases: Sequence[Case], likely: dict[Family, Sequence[bool]]) -> dict[tuple[Family, str], Answers]:
    """The answers of both backends for both families."""
    kinds = [(family, backend) for family in Family for backend in BACKENDS]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda kind: ask(cases, likely[kind[0]], kind[1], kind[0]), kinds)
        return dict(zip(kinds, found, strict=True))


class _Judge:
    """One backend and family, in the namespace of this process."""

    def __init__(self, backend: str, family: Family, cases: list[tuple[str, str, str]]) -> None:
        self.tool = f"{family.command}-{backend}"
        self.cases = cases
        self.answers: Answers = [None] * len(cases)

    def settle(self, numbers: list[int]) -> None:
        """Answer cases of one table, all at once or in halves."""
        if not numbers:
            return
        if self._load(numbers):
            self._read(numbers)
        elif len(numbers) > 1:
            middle = len(numbers) // 2
            self.settle(numbers[:middle])
            self.settle(numbers[middle:])

    def _load(self, numbers: list[int]) -> bool:
        table = self.cases[numbers[0]][0]
        lines = [f"*{table}", *(f":{chain} ACCEPT [0:0]" for chain in BUILTIN_CHAINS[table]), f":{USER_CHAIN} - [0:0]"]
        for number in numbers:
            _, chain, rule = self.cases[number]
            lines += [f"-A {chain} {rule}", f"-A {chain} {_MARK}{number}"]
        text = "\n".join([*lines, "COMMIT", ""])
        command = [f"{self.tool}-restore"]
        done = subprocess.run(command, input=to_bytes(text), capture_output=True, check=False, timeout=60)
        return done.returncode == 0

    def _read(self, numbers: list[int]) -> None:
        command = [f"{self.tool}-save", "-t", self.cases[numbers[0]][0]]
        saved = to_text(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
        pending: dict[str, list[str]] = defaultdict(list)
        for line in saved.split("\n"):
            if not line.startswith("-A "):
                continue
            chain, _, rule = line[3:].partition(" ")
            if rule.startswith(_MARK):
                self.answers[int(rule[len(_MARK) :])] = " ; ".join(pending.pop(chain, []))
            else:
                pending[chain].append(rule)


def _main(backend: str, family: Family) -> None:
    asked = json.load(sys.stdin)
    make_set(family)
    judge = _Judge(backend, family, [(table, chain, rule) for table, chain, rule, _ in asked])
    for table in BUILTIN_CHAINS:
        mine = [number for number, case in enumerate(asked) if case[0] == table]
        likely = [number for number in mine if asked[number][3]]
        for first in range(0, len(likely), _AT_ONCE):
            judge.settle(likely[first : first + _AT_ONCE])
        for number in mine:
            if not asked[number][3]:
                judge.settle([number])
        judge.settle([])
    json.dump(judge.answers, sys.stdout)


if __name__ == "__main__":
    _main(sys.argv[1], Family(sys.argv[2]))

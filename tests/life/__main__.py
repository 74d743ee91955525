"""The long form: `python -m tests.life --seeds 1-4 --steps 50 --engine embedded`. Prints each step and the figures."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from local.lab.api import Lab
from tests.life.life import Figures, Life, StuckError, engines

NAMES = ("life1", "life2", "life3")


def main() -> int:
    """Run several lives; the exit status is 1 if there are findings."""
    parser = argparse.ArgumentParser(prog="python -m tests.life", description=__doc__)
    parser.add_argument("--seeds", default="1-4", help="a range, or one number")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--engine", choices=engines(), action="append", help="default: all that are there")
    parser.add_argument("--folder", type=Path, help="where logs and findings are kept")
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    top = options.folder or Path(tempfile.mkdtemp(prefix="life-"))
    lab, lives, begun = Lab(), [], time.monotonic()
    machines = lab.up(list(NAMES))
    try:
        for engine in options.engine or engines():
            for seed in range(int(first), int(last or first) + 1):
                folder = top / f"{engine}-{seed}"
                folder.mkdir(parents=True)
                print(f"seed {seed}, {engine}: {folder}", flush=True)
                life = Life(lab, machines, folder, seed, engine, say=lambda text: print(text, flush=True))
                lives.append(life.figures)
                try:
                    life.live(options.steps)
                except StuckError as error:
                    print(error)
    finally:
        lab.down(list(NAMES))
    print(f"\n{report(lives)}\n{time.monotonic() - begun:.0f} s")
    return 1 if any(figures.findings for figures in lives) else 0


def report(lives: list[Figures]) -> str:
    """The figures of all lives, as text."""
    steps = sum((figures.steps for figures in lives), Counter[str]())
    successes = sum((figures.successes for figures in lives), Counter[str]())
    failures = sum((figures.failures for figures in lives), Counter[str]())
    findings = [finding for figures in lives for finding in figures.findings]
    return "\n".join(
        (
            f"lives: {len(lives)}",
            f"steps: {steps.total()} ({', '.join(f'{name} {count}' for name, count in steps.most_common())})",
            f"runs that ended with success: {successes.total()} ({_counts(successes)})",
            f"runs that failed: {failures.total()} ({_counts(failures)})",
            f"looks: {sum(figures.looks for figures in lives)}, facts: {sum(figures.facts for figures in lives)}",
            f"findings: {len(findings)}",
            *findings,
        )
    )


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))


if __name__ == "__main__":
    sys.exit(main())

"""The real iptables in its own network namespace, for tests that compare the language with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

import pytest

from hosts.text.rawtext import to_bytes, to_text
from rules.values.family import Family

BACKENDS = ("nft", "legacy")
_MARK = "-=-=- next -=-=-"


def missing(backend: str) -> str | None:
    """Why this machine cannot run the comparison, or None."""
    if os.geteuid() != 0:
        return "needs root for a network namespace"
    for tool in ("unshare", f"iptables-{backend}-restore", f"ip6tables-{backend}-restore"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    return None


def restore_all(
    backend: str,
    family: Family,
    steps: Sequence[tuple[str, ...]],
    *,
    counters: bool = False,
    refused: bool = False,
) -> list[str]:
    """Load the texts of each step one after the other, the first from scratch, the others with ``--noflush``.

    All steps run in one network namespace that ends with the call. Returns the output of iptables-save after each step;
    fails the test if a text is refused. ``counters``: set those of the texts, and print them. ``refused``: the last
    text of each step must be refused instead.
    """
    if reason := missing(backend):
        pytest.skip(reason)
    tool = f"{family.command}-{backend}"
    flag = " -c" if counters else ""
    script = ["set -e", f"wrong() {{ {tool}-save; exit 9; }}"]
    for texts in steps:
        script.append(f"{tool}-restore <<'TEXT'\n{_EMPTY}TEXT")
        for number, text in enumerate(texts, start=1):
            operator = "&&" if refused and number == len(texts) else "||"
            script.append(f"{tool}-restore{flag} --noflush -w 5 <<'TEXT' {operator} wrong\n{text}TEXT")
        script += [f"{tool}-save{flag}", f"echo '{_MARK}'"]
    run = subprocess.run(
        ["unshare", "-n", "sh", "-s"],
        input=to_bytes("\n".join(script) + "\n"),
        capture_output=True,
        timeout=60,
        check=False,
    )
    printed = to_text(run.stdout).split(f"{_MARK}\n")
    if run.returncode:
        failed = steps[min(len(printed), len(steps)) - 1]
        pytest.fail(
            f"{tool} {'did not refuse' if refused else 'refused'}: {to_text(run.stderr)}\n"
            + "\n".join(failed)
            + f"\nafter:\n{printed[-1]}"
        )
    return printed[:-1]


_EMPTY = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"

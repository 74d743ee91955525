"""Commands whose words go, as they were typed, to the code that has always run them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

RUNS = ("preview", "up", "refresh", "destroy", "drift")
"""What an engine does with a stack; `--json` prints what came of it."""
OTHERS = ("output", "export", "import", "config", "state")


def engine(words: Sequence[str]) -> int:
    """Run a command with one of the engines. May exit by itself, as the engine does."""
    from cli.project import prepare

    prepare(words)
    if words[0] not in RUNS or "--json" not in words:
        from local.commands import main

        main([*words])
    from cli.reported import reported

    return reported(words)


def look(words: Sequence[str]) -> int:
    """Print what is on the hosts."""
    from local.commands import set_lab_passphrase, stack_of, value_of

    folder = Path(value_of(words, "--cwd", "-C") or ".")
    set_lab_passphrase(stack_of("look", words[1:], folder), os.environ)
    from fleet.look import main

    return main(words[1:])


def fleet(words: Sequence[str]) -> int:
    """Run a command on all shards of an environment."""
    from cli.project import prepare

    prepare(words)
    from fleet.__main__ import main

    return main(words[1:])


def explain(words: Sequence[str]) -> int:
    """Say what a ruleset lets in."""
    from policies.explain import main

    return main(words[1:])


def lab(words: Sequence[str]) -> int:
    """Run a command of the lab."""
    from cli.project import installed

    if installed():
        print(
            "error: the lab is part of a checkout: clone the repository, and run ./stockade lab there", file=sys.stderr
        )
        return 1
    from local.lab.__main__ import main

    return main(words[1:])


PASSED: dict[str, Callable[[Sequence[str]], int]] = {
    **dict.fromkeys((*RUNS, *OTHERS), engine),
    "look": look,
    "fleet": fleet,
    "explain": explain,
    "lab": lab,
}

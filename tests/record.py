"""Record what a chapter reads on a lab host, as a case for tests/unit/recorded/chapters/.

    python -m tests.record CHAPTER HOST NAME [INPUTS]

CHAPTER is the name of the chapter's class without its last word (`sshd`), HOST a running lab host, INPUTS what is
declared, as JSON. The command prints the case. Check it, reduce `facts` to what the case is about, and append it to the
chapter's file.

    stockade lab up web1 --variant centos6
    python -m tests.record sshd web1 'CentOS 6, as it comes' '{"settings": "PermitRootLogin no\\n"}'
"""

import json
import re
import sys
from typing import Any

import yaml

from components.core.chapter import KnownState
from hosts.shell import compose, parse
from local.lab.api import Lab
from tests.unit.test_recorded import chapters


class _Dumper(yaml.SafeDumper):
    """Writes multi-line text as a literal block."""


def _written(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _written)


def record(chapter: str, host: str, declared: dict[str, Any]) -> dict[str, Any]:
    """Look at a lab host as the chapter does, and return the case."""
    kept = chapters()[chapter]
    inputs = kept.inputs.model_validate({"host": "web1", **declared})
    run = compose([kept.observe(inputs)])
    done = Lab().host(host).exec(["sh"], input=run.text.decode(), check=False)
    (answer,) = parse(run, done.stdout.encode(), done.stderr.encode())
    if answer is None or answer.status:
        raise SystemExit(f"{host}: {done.stderr or 'no answer'}")
    facts = kept.parse(inputs, answer)
    shown = kept.as_observed(inputs, KnownState(inputs, facts, facts, facts), facts).props()
    case = {
        "declared": declared,
        "stdout": answer.stdout,
        # blanks at the end of a line mean nothing, but would make YAML write the whole text on one line
        "sections": {name: re.sub(r"[ \t]+$", "", text, flags=re.M) for name, text in answer.sections.items()},
        "facts": facts.model_dump(mode="json"),
        "met": not kept.differences(inputs, facts),
        "drift": {key: value for key, value in shown.items() if inputs.props().get(key) != value},
    }
    return {key: value for key, value in case.items() if value or key == "met"}


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    chapter, host, name, *declared = sys.argv[1:]
    case = record(chapter, host, json.loads(declared[0]) if declared else {})
    print(yaml.dump({name: case}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=118), end="")

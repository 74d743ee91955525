"""Splits the output of an engine's `--diff` into a block of text for each resource that changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = re.compile(r"^ *(?:\S{1,2} ?)?([\w./:-]+:[\w./:-]+): \(([a-z-]+)\)$")
_POLICY = re.compile(r"^\s*\S+@v\S+ \[\w+\]  \S")
_URN = re.compile(r"^\s*\[urn=urn:.*::(.+)\]$", re.M)
_DONE = {"same", "read", "refresh"}


@dataclass(frozen=True)
class ResourceDiff:
    """The change of one resource, line by line."""

    kind: str
    name: str
    operation: str
    text: str


def blocks(output: str) -> Iterator[ResourceDiff]:
    """Yield the blocks of an engine's output; text outside of them is left out."""
    kind = operation = ""
    lines: list[str] = []
    for line in [*output.splitlines(), "end"]:
        header = _HEADER.match(line)
        # both engines indent the lines of a resource, and nothing else
        over = header or _POLICY.match(line) or (line and not line.startswith(" ")) or line.strip() == "--outputs:--"
        if over and lines:
            text = "\n".join(lines).rstrip()
            if operation not in _DONE:
                named = _URN.search(text)
                yield ResourceDiff(kind, named[1] if named else "", operation, text)
            lines = []
        if header:
            kind, operation, lines = header[1].rpartition(":")[2], header[2], [line]
        elif lines:
            lines.append(line)


def marked(text: str) -> str:
    """Move the diff marks to the left edge, where Markdown colours them."""
    text = re.sub(r"^( +)([-+]) ", r"\2\1", text, flags=re.M)
    return re.sub(r"^( +)([+-]{2}) ?", r"\2\1", re.sub(r"^( +)~ ", r"!\1", text, flags=re.M), flags=re.M)

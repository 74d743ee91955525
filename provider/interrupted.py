"""Operations of a Pulumi CLI run that was killed: its state names them, and only to the next run.

The host may have the killed run's changes although the state does not show them. If the next config declares what the
state contains, there is no difference, and a run would succeed without changing anything. So every operation that the
state names as pending is treated as unfinished, until the state shows a later change of its resource.

With the first write of the next run, the CLI drops pending updates and deletions from the state, whether or not that
run gets to them. It keeps pending creations even once they are complete. So the findings are kept among the provider's
own inputs. The embedded engine reads such resources itself (local/engine/cli.py), and what was to be applied to them
becomes part of the state.
"""

import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from components.core.claims import keys_in
from components.core.stored import REFERENCE, SIGNATURE
from hosts.text.private import private_folder
from provider.ancestors import engine_process, start_of
from provider.exported import UnreadableError, engine, exported

Marks = Mapping[str, tuple[str, ...]]
"""By URN, a digest of the pending operations, and when the state says it was last changed; "" if it is missing. A third
text, if there is one, are the inputs that the operations were to apply, as JSON."""

PENDING = "pending_operations"
HALTED = "STOCKADE_HALTED"
"""The environment variable with which the embedded engine says that the state names some."""
BEGUN = frozenset({"creating", "updating", "deleting"})
_CIPHERTEXT = re.compile(r'"ciphertext": "[^"]*"')
"""Secrets are re-encrypted when the state is written."""


@dataclass(frozen=True)
class Interrupted:
    """Interrupted operations.

    `urns`: those of resources that have not been changed since. `meant`: the inputs that they were to apply, without
    secrets, also of those that were to be created.
    """

    marks: Marks
    urns: frozenset[str] = frozenset()
    meant: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)


def found_in(
    deployment: Mapping[str, Any], before: Marks, machines: Callable[[str], Collection[str]] = lambda _: ()
) -> Interrupted:
    """Return what a state names, and those of `before` that are not settled yet.

    `machines`: the host keys of all machines that have or had a name. A resource that the state has on one of them, of
    the same type, may be in force as the killed run was creating it under that name.
    """
    changed = {
        item["urn"]: str(item.get("modified") or "")
        for item in deployment.get("resources") or ()
        if not item.get("delete")
    }
    begun: dict[str, list[str]] = {}
    meant: dict[str, list[dict[str, Any]]] = {}
    for operation in deployment.get(PENDING) or ():
        if operation.get("type") in BEGUN:
            text = _CIPHERTEXT.sub("", json.dumps(operation, sort_keys=True))
            for urn in {operation["resource"]["urn"], *_on_same_machine(operation, deployment, machines)}:
                begun.setdefault(urn, []).append(text)
                if operation["type"] != "deleting":
                    meant.setdefault(urn, []).append(_public(operation["resource"].get("inputs") or {}))
    digests = {urn: sha256("\n".join(sorted(texts)).encode()).hexdigest()[:16] for urn, texts in begun.items()}
    marks = {urn: mark for urn, mark in before.items() if changed.get(urn) == mark[1] or digests.get(urn) == mark[0]}
    for urn, digest in digests.items():
        if urn not in marks or marks[urn][0] != digest:
            earlier = [*_texts(marks.get(urn, ())), *meant.get(urn, ())]
            marks[urn] = (digest, changed.get(urn, ""), *([json.dumps(earlier, sort_keys=True)] if earlier else ()))
    urns = frozenset(urn for urn, mark in marks.items() if changed.get(urn) == mark[1])
    return Interrupted(
        marks, urns, {urn: _texts(mark) for urn, mark in marks.items() if changed.get(urn, "") == mark[1]}
    )


def _texts(mark: Sequence[str]) -> list[dict[str, Any]]:
    return json.loads(mark[2]) if len(mark) > 2 else []


def _public(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs without secrets, without how the host is reached, and without the reference to the provider."""
    left_out = {"connection", REFERENCE}
    return {
        name: value for name, value in inputs.items() if name not in left_out and SIGNATURE not in json.dumps(value)
    }


def _on_same_machine(
    operation: Mapping[str, Any], deployment: Mapping[str, Any], machines: Callable[[str], Collection[str]]
) -> Iterator[str]:
    created, name = operation["resource"], (operation["resource"].get("inputs") or {}).get("host")
    if operation["type"] != "creating" or not isinstance(name, str):
        return
    keys = {*machines(name)}
    for item in deployment.get("resources") or () if keys else ():
        if item.get("type") == created.get("type") and not item.get("delete") and keys.intersection(keys_in(item)):
            yield item["urn"]


def written(marks: Marks) -> str:
    """Return marks as text."""
    return json.dumps(marks, separators=(",", ":"), sort_keys=True)


def read(text: str) -> Marks:
    """Parse text from `written`; return nothing for any other text."""
    try:
        found = json.loads(text)
        return {str(urn): tuple(map(str, mark)) for urn, mark in found.items() if len(mark) in (2, 3)}
    except (ValueError, TypeError, AttributeError):
        return {}


def look(
    stack: str, lineage: str, before: Marks, machines: Callable[[str], Collection[str]] = lambda _: ()
) -> Interrupted:
    """Return the interrupted operations in this run's state. `lineage`: identifies the state. `machines`: see
    `found_in`.

    Raises UnreadableError.
    """
    if not engine() and HALTED not in os.environ:
        return Interrupted({})
    before = {**before, **_handed_over(lineage)}
    text = exported(stack)
    if not before and f'"{PENDING}"' not in text:
        return Interrupted({})
    try:
        deployment = json.loads(text)["deployment"]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableError(str(error)) from error
    if lineage not in _lineages(deployment):  # another stack of the same name
        return Interrupted(before, frozenset(before))
    found = found_in(deployment, before, machines)
    _hand_over(lineage, found.marks)
    return found


def _lineages(deployment: Mapping[str, Any]) -> set[str]:
    providers = (item for item in deployment.get("resources") or () if item["type"].startswith("pulumi:providers:"))
    return {str((item.get("inputs") or {}).get("lineage") or "") for item in providers}


def _process() -> str:
    """Return an identifier of the engine's process."""
    engine = engine_process()
    return f"{engine} {start_of(engine)}".strip()


def _handed_over(lineage: str) -> Marks:
    """Return what the preview of an `up` found: the `up` itself may have written the state before it starts us."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        found = json.loads(_note(lineage).read_text())
        if found["process"] == _process():
            return read(found["marks"])
    return {}


def _hand_over(lineage: str, marks: Marks) -> None:
    with suppress(OSError):
        note = _note(lineage)
        if marks:
            note.write_text(json.dumps({"process": _process(), "marks": written(marks)}))
        else:
            note.unlink(missing_ok=True)


def _note(lineage: str) -> Path:
    return private_folder("interrupted") / sha256(lineage.encode()).hexdigest()[:32]

"""`export`, `import`, `output`, `init` and `state delete|taint|...`: state commands, which start no process."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from hosts.text.masking import one_line, printable
from local.engine.errors import EngineError
from local.engine.state.backend import load
from local.engine.state.session import Session
from local.engine.state.state import STACK_TYPE, Resource, Snapshot, encode_resource
from local.engine.state.values import contains_secret, reveal

MARKS = {
    "taint": ({"taint": True}, "have it replaced by the next update"),
    "untaint": ({"taint": False}, "take that back"),
    "protect": ({"protect": True}, "refuse to delete it"),
    "unprotect": ({"protect": False}, "allow to delete it"),
}


def add_commands(commands: Any, common: argparse.ArgumentParser, kind: Any) -> None:
    """Add these commands to the command line, those for a whole stack also as `stack export` and so on."""
    _add_stack_commands(commands, common)
    stack = commands.add_parser("stack", help="the state of a stack")
    _add_stack_commands(stack.add_subparsers(dest="command", required=True, parser_class=kind), common)
    state = commands.add_parser("state", help="single resources in the state")
    group = state.add_subparsers(dest="command", required=True, parser_class=kind)
    delete = group.add_parser("delete", aliases=["remove", "rm"], parents=[common],
                              help="forget resources; nothing is done with what they stand for")  # fmt: skip
    delete.add_argument("--target-dependents", action="store_true", help="and all that depends on them")
    delete.add_argument("--force", action="store_true", help="protected ones, too")
    delete.set_defaults(run=delete_resources)
    marks = [group.add_parser(name, parents=[common], help=help_) for name, (_, help_) in MARKS.items()]
    for name, command in zip(MARKS, marks, strict=True):
        command.set_defaults(run=mark_resources, mark=name)
    for command in (delete, *marks):
        command.add_argument("urns", metavar="URN", nargs="+")
        command.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _add_stack_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    export = commands.add_parser("export", parents=[common], help="print the deployment")
    export.add_argument("--file", type=Path, help="write to a file")
    export.add_argument("--show-secrets", action="store_true")
    export.set_defaults(run=_export)
    importing = commands.add_parser("import", parents=[common], help="replace the deployment")
    importing.add_argument("--file", type=Path, help="read from a file")
    importing.set_defaults(run=_import)
    output = commands.add_parser("output", parents=[common], help="print the stack's outputs")
    output.add_argument("name", nargs="?", help="one output only")
    output.add_argument("--json", action="store_true")
    output.add_argument("--show-secrets", action="store_true")
    output.set_defaults(run=_output)
    commands.add_parser("init", parents=[common], help="create the stack").set_defaults(run=_init)


def _shown(value: Any) -> str:
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _export(session: Session, options: argparse.Namespace) -> int:
    if options.show_secrets:
        snapshot = session.snapshot()
        deployment = session.backend.read()
        deployment["resources"] = [encode_resource(item, None) for item in snapshot.resources]
    else:
        deployment = session.backend.read()
    text = json.dumps({"version": 3, "deployment": deployment}, indent=4, ensure_ascii=False)
    if options.file:
        options.file.write_text(text + "\n")
    else:
        print(text)
    return 0


def _import(session: Session, options: argparse.Namespace) -> int:
    try:
        document = json.loads(options.file.read_text() if options.file else sys.stdin.read())
        version, deployment = document["version"], document["deployment"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"this is not an exported deployment: {error}") from None
    if version != 3:
        raise EngineError(f"the deployment has version {version}, not 3")
    session = session.stored()
    with session.backend.locked():
        snapshot = load(session.backend, session.crypter, session.encoder, deployment)
        _write(session, snapshot)
    print("Import complete.")
    return 0


def _output(session: Session, options: argparse.Namespace) -> int:
    outputs = next((item.outputs for item in session.snapshot().resources if item.type == STACK_TYPE), {})
    if options.name is not None and options.name not in outputs:
        raise EngineError(f"current stack does not have output property '{options.name}'")
    chosen = outputs if options.name is None else {options.name: outputs[options.name]}
    shown = {
        key: reveal(value) if options.show_secrets or options.name else "[secret]" if contains_secret(value) else value
        for key, value in chosen.items()
    }
    if options.json:
        print(json.dumps(shown if options.name is None else shown[options.name], indent=2, ensure_ascii=False))
    elif options.name is not None:
        value = shown[options.name]
        print(_shown(value) if sys.stdout.isatty() or not isinstance(value, str) else value)
    else:
        for key, value in sorted(shown.items()):
            print(f"{one_line(key)}\t{_shown(value)}")
    return 0


def _init(session: Session, options: argparse.Namespace) -> int:
    session.stored()
    print(f"The stack '{session.stack}' is there.")
    return 0


def _write(session: Session, snapshot: Snapshot) -> None:
    session.backend.backup()
    session.backend.write(session.encoder.deployment(snapshot))


def delete_resources(session: Session, options: argparse.Namespace) -> int:
    """Remove resources from the state."""

    def delete(resources: Sequence[Resource]) -> Sequence[Resource]:
        for urn in options.urns:
            condemned = _find(resources, urn)
            doomed = [condemned, *dependents(resources, condemned)]
            others = [item for item in doomed[1:] if item.urn not in options.urns]
            if others and not options.target_dependents:
                listed = "".join(f" * {json.dumps(item.name):<15} ({item.urn})\n" for item in others)
                raise EngineError(
                    f"{urn} can't be safely deleted because the following resources depend on it:\n{listed}\n"
                    "Delete those resources first or pass --target-dependents."
                )
            for item in doomed:
                _check_protection(item, force=options.force)
            resources = [item for item in resources if item not in doomed]
        return resources

    before, after = _edit(session, options, delete, begun=True)
    deleted = before - after
    print("Resource deleted" if deleted == 1 else f"{deleted} resources deleted")
    return 0


def _check_protection(item: Resource, *, force: bool) -> None:
    if item.protect and not force:
        raise EngineError(
            f"{item.urn} can't be safely deleted because it is protected. "
            "Re-run this command with --force to force deletion"
        )
    if item.protect:
        print(f"warning: deleting protected resource {item.urn} due to presence of --force", file=sys.stderr)


def mark_resources(session: Session, options: argparse.Namespace) -> int:
    """Set or remove a mark of resources in the state, such as `taint`."""

    def mark(resources: Sequence[Resource]) -> Sequence[Resource]:
        marked = {id(_find(resources, urn)) for urn in options.urns}
        fields, _ = MARKS[options.mark]
        return [item.changed(**fields) if id(item) in marked else item for item in resources]

    _edit(session, options, mark)
    print(f"{len(options.urns)} resource{'' if len(options.urns) == 1 else 's'} {options.mark}ed")
    return 0


def _edit(
    session: Session,
    options: argparse.Namespace,
    edit: Callable[[Sequence[Resource]], Sequence[Resource]],
    *,
    begun: bool = False,
) -> tuple[int, int]:
    """Change the resources in the state, after asking on a terminal; returns their number before and after.

    `begun`: also those that a killed run was only creating.
    """
    session = session.stored()
    with session.backend.locked():
        snapshot = session.snapshot()
        known = {item.urn for item in snapshot.resources}
        created = {item.resource.urn: item.resource for item in snapshot.pending if item.resource.urn not in known}
        before = [*snapshot.resources, *(created.values() if begun else ())]
        resources = edit(before)
        if not options.yes and sys.stdin.isatty() and sys.stdout.isatty():
            print("This command edits the state of the stack alone; nothing is done with its resources.")
            if input("Do you want to proceed? [yes/no] ").strip().lower() not in ("y", "yes"):
                raise EngineError("confirmation declined")
        gone = {item.urn for item in before} - {item.urn for item in resources}
        pending = tuple(item for item in snapshot.pending if item.resource.urn not in gone)
        _write(session, Snapshot(tuple(item for item in resources if item.urn not in created), pending))
    return len(before), len(resources)


def _find(resources: Iterable[Resource], urn: str) -> Resource:
    found = [item for item in resources if item.urn == urn]
    if not found:
        valid = urn.startswith("urn:pulumi:") and urn.count("::") >= 3
        what = (
            f"No such resource {json.dumps(urn)} exists in the current state"
            if valid
            else (f"{json.dumps(urn)} is not a valid resource URN")
        )
        raise EngineError(f"{what}\nTo list the resource URNs in the stack, run `stockade export`.")
    if len(found) > 1:
        ids = "".join(f"\n  {item.id}" for item in found)
        raise EngineError(f"Resource URN ambiguously referred to multiple resources. Did you mean:{ids}")
    return found[0]


def dependents(resources: Sequence[Resource], of: Resource) -> list[Resource]:
    """The resources that need a resource, directly or indirectly."""
    found: list[Resource] = []
    urns = {of.urn}
    more = True
    while more:
        news = [item for item in resources if item is not of and item not in found and item.needs() & urns]
        more = bool(news)
        found += news
        urns.update(item.urn for item in news)
    return found

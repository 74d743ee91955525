"""`state move`: moves resources to another stack, as `pulumi state move` does, without any operation on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from local.engine.errors import EngineError
from local.engine.state.session import Session
from local.engine.state.state import STACK_TYPE, Resource, Snapshot


def move(source: Session, dest: Session, urns: Sequence[str]) -> int:
    """Move resources with all their children; returns how many. If it raises EngineError, nothing was moved.

    The destination is written first. If the process is killed in between, resources are in both stacks; the next move
    removes them from the source.
    """
    with ExitStack() as locks:
        for session in (source, dest):
            locks.enter_context(session.backend.locked())
        before, there = source.snapshot(), dest.snapshot()
        for session, snapshot in ((source, before), (dest, there)):
            if snapshot.pending:
                raise EngineError(f"the last run on {session.stack} was interrupted; run `up` or `refresh` on it first")
        moving = _with_children(before.resources, urns)
        rename = _renaming(source.stack, dest.stack)
        _refuse_torn(before.resources, moving, source.stack)
        known = {item.urn for item in there.resources}
        bases = [item for item in _bases(before.resources, moving) if rename(item.urn) not in known]
        news = [item for item in before.resources if item.urn in moving and rename(item.urn) not in known]
        ids = {item.urn: item.id for item in there.resources if item.is_provider}
        added = tuple(_renamed(item, rename, ids) for item in (*bases, *news))
        kept = tuple(item for item in before.resources if item.urn not in moving)
        for session, resources in ((dest, (*there.resources, *added)), (source, kept)):
            session.backend.backup()
            session.backend.write(session.encoder.deployment(Snapshot(resources)))
        return len(moving)


def _with_children(resources: Iterable[Resource], urns: Sequence[str]) -> set[str]:
    known = {item.urn for item in resources}
    missing = [urn for urn in urns if urn not in known]
    if missing:
        raise EngineError(f"no resource {missing[0]} in the source stack")
    found = set(urns)
    for item in resources:  # parents come first
        if item.parent in found:
            found.add(item.urn)
    return found


def _bases(resources: Iterable[Resource], moving: set[str]) -> list[Resource]:
    """What the moved resources need that also stays in the source: the stack itself and providers."""
    providers = {item.provider_urn for item in resources if item.urn in moving}
    found = [item for item in resources if item.type == STACK_TYPE or item.urn in providers - moving]
    return [item.changed(outputs={}) if item.type == STACK_TYPE else item for item in found]


def _refuse_torn(resources: Iterable[Resource], moving: set[str], stack: str) -> None:
    bases = {item.urn for item in resources if item.type == STACK_TYPE or item.is_provider}
    for item in resources:
        torn = item.needs() - moving - bases if item.urn in moving else item.needs() & moving
        if torn:
            raise EngineError(f"{stack}: {item.urn} depends on {min(torn)}: move both or none")


def _renaming(old: str, new: str) -> Callable[[str], str]:
    def rename(urn: str) -> str:
        if not urn:
            return ""
        rest = urn.removeprefix(f"urn:pulumi:{old}::")
        if rest.endswith(f"::{STACK_TYPE}::{rest.partition('::')[0]}-{old}"):
            rest = f"{rest.removesuffix(old)}{new}"  # the stack resource's name contains the stack's name, too
        return f"urn:pulumi:{new}::{rest}"

    return rename


def _renamed(item: Resource, rename: Callable[[str], str], ids: dict[str, str]) -> Resource:
    provider = rename(item.provider_urn)
    reference = f"{provider}::{ids.get(provider, item.provider.rpartition('::')[2])}" if provider else ""
    return item.changed(
        urn=rename(item.urn),
        parent=rename(item.parent),
        provider=reference,
        deleted_with=rename(item.deleted_with),
        dependencies=tuple(map(rename, item.dependencies)),
        property_dependencies={key: tuple(map(rename, urns)) for key, urns in item.property_dependencies.items()},
    )

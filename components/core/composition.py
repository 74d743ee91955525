"""What `HardenedHost` passes to each chapter, which adds its resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from pulumi import Input, Output, Resource, ResourceOptions

from hosts.ssh.connection import HostAccess

if TYPE_CHECKING:
    from components.packages.resource import Packages


@dataclass(frozen=True)
class Needs:
    """What a chapter needs from its host's package transaction.

    `unstarted`: services that the chapter starts, instead of their package.
    """

    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    unstarted: tuple[str, ...] = ()
    take_over: bool = False

    def props(self) -> dict[str, Any]:
        """Return the inputs of `Packages` for these needs."""
        names = {"present": self.present, "absent": self.absent, "unstarted": self.unstarted}
        return {**names, "takeOver": self.take_over}

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            tuple(sorted({*self.present, *other.present})),
            tuple(sorted({*self.absent, *other.absent})),
            tuple(sorted({*self.unstarted, *other.unstarted})),
            self.take_over or other.take_over,
        )


@dataclass(frozen=True)
class RegisteredChapter:
    """A chapter of the stack config: the resources it adds to a host that declares it, and the packages it needs."""

    declare: Callable[[Composition, Any], None]
    needs: Callable[[Any], Needs] = lambda _settings: Needs()


class Wanted(Protocol):
    """The settings of all chapters, by their names in the stack config: `components.registry.Hardening`."""

    @property
    def sshd(self) -> Any: ...
    @property
    def firewall(self) -> Any: ...


@dataclass
class Composition:
    """One host while its chapters are declared.

    `connection`: how the host is reached, as the program knows it. `given`: the same as an input of the host's
    resources; None if they read it from the stack config. `admin`: the admin's login name, if known. `keys`: public
    keys for every user. `options`: those that all resources get.
    """

    name: str
    parent: Resource
    wanted: Wanted
    connection: HostAccess | Mapping[str, Input[Any]]
    given: Mapping[str, Input[Any]] | None
    admin: str
    keys: tuple[Input[str], ...]
    existing: str
    before: list[Resource]
    options: ResourceOptions
    enforced: dict[str, Input[Any]] = field(default_factory=dict)
    made: dict[str, list[Resource]] = field(default_factory=dict)

    @property
    def as_is(self) -> bool:
        """Whether what the host has already is only recorded."""
        return self.existing == "asIs"

    @property
    def packages(self) -> Packages | None:
        """The host's package transaction, which comes first; None if it needs no package."""
        return cast("Packages | None", next(iter(self.made.get("packages", ())), None))

    def configures(self, *packages: str) -> Output[list[str] | None] | None:
        """Return the `triggers` of a resource that configures these packages."""
        return self.packages.triggers_for(*packages) if self.packages else None

    def props(self, chapter: Mapping[str, Any], *, existing: bool = True) -> dict[str, Any]:
        """Return a chapter's inputs together with those common to all resources of the host.

        `existing`: whether `fail` may refuse it; without, only `asIs` counts.
        """
        common: dict[str, Any] = {"host": self.name}
        if self.given is not None:
            common["connection"] = self.given
        return {**common, **({"existing": self.existing} if existing or self.as_is else {}), **chapter}

    def after(self, *chapters: str, also: Sequence[Resource] = ()) -> ResourceOptions:
        """Return resource options that depend on the resources of other chapters."""
        first = [*self.before] if not chapters else []
        found = [resource for chapter in chapters for resource in self.made.get(chapter, ())]
        own = ResourceOptions(parent=self.parent, depends_on=[*first, *found, *also])
        return ResourceOptions.merge(self.options, own)

    def add(self, chapter: str, *resources: Resource) -> None:
        """Register a chapter's resources for the chapters that come after it."""
        self.made.setdefault(chapter, []).extend(resources)

    def all_enforced(self) -> Output[dict[str, Any]]:
        """Return what is in force, by chapter. Known values stay plain, because every Output costs SDK time."""
        late = {name: value for name, value in self.enforced.items() if isinstance(value, Output)}
        return Output.from_input(late).apply(lambda values: {**self.enforced, **values})

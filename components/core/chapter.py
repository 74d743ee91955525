"""The interface of a chapter, and the types that it shares with the base class that makes resources of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from components.failure import Failure
from hosts.guard.guarded import Guard
from hosts.shell import Answer, Script
from hosts.ssh.connection import HostAccess

if TYPE_CHECKING:
    from hosts.host import Host

STALE = 75
"""Exit status (EX_TEMPFAIL of sysexits.h) of a script that found the host in an unexpected state and changed
nothing."""


class Unfinished(Failure):
    """A change that failed and could not be rolled back completely.

    The state must record `id` and `outs`, so that the next `up` finishes the change or `destroy` undoes it.
    """

    def __init__(self, message: str, id_: str, outs: dict[str, Any]) -> None:
        super().__init__(message)
        self.id, self.outs = id_, outs


class Model(BaseModel):
    """Base model. Property names are camelCase in the state, as Pulumi's are. Instances are immutable.

    A `SecretStr` field is masked wherever the model is printed. Only `props` has it in plain text; the engine encrypts
    it, because the input of that name is a Pulumi secret.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        defer_build=True,  # the program declares all chapters and validates few of them
    )

    def props(self) -> dict[str, Any]:
        """Return the property values for the state, with defaults and without unset fields."""
        values: dict[str, Any] = self.model_dump(by_alias=True, mode="json", exclude_none=True)
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                values[field.alias or name] = value.get_secret_value()
        return values


def worked_out(default: Any) -> Any:
    """Return the default of an input that users do not set. It describes the healthy state, so that `refresh` can show
    a deviation."""
    return Field(default, json_schema_extra={"readOnly": True})


Existing = Literal["adopt", "fail", "takeOver", "asIs"]
"""What `create` does with existing settings: see `ChapterInputs`."""


class ChapterInputs(Model):
    """The inputs that all chapters' resources share.

    `host`: the host's name in the stack config, or any name if `connection` is given. `connection`: how to reach the
    host (`admin`, `bootstrap`) if the stack config does not list it. An entry there takes precedence; it is read
    whenever a command runs. `existing`: what `create` does with existing settings: `adopt` or `fail`; `takeOver` also
    adopts what another stack manages; `asIs` only records what is in force already, and writes nothing. `triggers`:
    texts that, when they change, make the resource observe the host again and repair what differs, for example because
    the packages that it configures were removed meanwhile.
    """

    host: str
    connection: dict[str, Any] | None = None
    existing: Existing = "adopt"
    triggers: tuple[str, ...] | None = None


I = TypeVar("I", bound=ChapterInputs)  # noqa: E741
F = TypeVar("F", bound=Model)


@dataclass(frozen=True)
class KnownState(Generic[I, F]):
    """What is known of a host before an operation; initially nothing.

    `last`, `recorded`: the inputs in the state, and the facts right after they were applied. `before`: the current
    facts as far as known: `recorded`, or new facts if the host was observed again (`reobserved`). `prior`: the facts
    before `create`. `earlier`: inputs of which parts may be in force, as a change from or to them was not finished.
    """

    last: I | None = None
    recorded: F | None = None
    prior: F | None = None
    before: F | None = None
    reobserved: bool = False
    earlier: tuple[I, ...] = ()

    @property
    def possible(self) -> tuple[I, ...]:
        """All inputs of which parts may be in force."""
        return self.earlier if self.last is None else (*self.earlier, self.last)

    def seen(self, before: F) -> "KnownState[I, F]":
        """Return what is known after observing the host again."""
        return replace(self, before=before, reobserved=True)


class Chapter(ABC, Generic[I, F]):
    """One chapter of the guide, in terms of a host. Stateless: its methods are pure and return scripts or values."""

    inputs: type[I]
    facts: type[F]
    replaced_by: ClassVar[frozenset[str]] = frozenset({"host"})
    """Inputs whose change replaces the resource."""
    changes: ClassVar[bool] = True
    """Whether the chapter changes hosts. If not, there is nothing to roll back."""
    keeps_records: ClassVar[bool] = False
    """Whether its scripts keep records of their own on the host, which `restore` drops."""
    importable: ClassVar[tuple[str, ...]] = ()
    """The titles of what can be imported; a word in capitals is the input of that name (`user NAME`)."""
    proof: ClassVar[str] = "the login in use"
    """What `enter` proves. Chapters with equal values share their logins. Empty: this chapter shares with none."""

    @abstractmethod
    def title(self, inputs: I) -> str:
        """Return the resource's name for errors, such as `firewall ipv4`; unique per host."""

    @abstractmethod
    def observe(self, inputs: I) -> Script:
        """Return the script that prints the current state of the host without changing it."""

    @abstractmethod
    def parse(self, inputs: I, answer: Answer) -> F:
        """Parse the output of `observe` into facts."""

    @abstractmethod
    def apply(self, inputs: I, known: KnownState[I, F]) -> Script:
        """Return the script that puts `inputs` in force.

        It exits with `STALE`, having changed nothing, if the host differs from `known` in a way that matters.
        """

    @abstractmethod
    def restore(self, inputs: I, known: KnownState[I, F]) -> Script:
        """Return the script that restores `known.prior` while `inputs` are in force; `STALE` as for `apply`."""

    @abstractmethod
    def differences(self, inputs: I, seen: F) -> str:
        """Return which part of `inputs` is not in force after `apply`; empty if all of it is."""

    @abstractmethod
    def as_observed(self, inputs: I, known: KnownState[I, F], seen: F) -> I:
        """Return `inputs` with the values the host shows now: equal to `inputs` unless someone changed the host."""

    def sought(self) -> Mapping[str, Any]:
        """Return the inputs with which an import looks at a host first, besides those that the title names."""
        return {}

    def existing(self, inputs: I, seen: F, answer: Answer) -> I | None:
        """Return the inputs that describe what the host has, for an import; None if it has nothing of this kind.

        `answer`: the output of `observe` from which `seen` was parsed. If the result differs from `inputs`, the host is
        observed with it, and this is called again.
        """
        del answer
        return self.as_observed(inputs, KnownState(), seen)

    def in_force(self, inputs: I, seen: F) -> bool:
        """Return whether a host that Stockade has not changed is as declared: a refresh would find no drift."""
        known = KnownState(inputs, seen, seen, seen)
        return not self.differences(inputs, seen) and self.as_observed(inputs, known, seen) == inputs

    def guard(self, inputs: I, known: KnownState[I, F], access: HostAccess, *, restoring: bool = False) -> Guard | None:
        """Return how to roll back a change that could cut off the logins of `access`; None if it cannot.

        The script of `apply` (of `restore` if `restoring`) then calls `arm` on a line of its own, right before its
        first change, and not at all if there is nothing to change. Whatever makes the change survive a reboot belongs
        in the guard's `commit`.
        """
        del inputs, known, access, restoring
        return None

    def prove_login(self, host: "Host", inputs: I, patience: float, *, restoring: bool = False) -> None:
        """Prove over new connections, within `patience` seconds, that a login works with `inputs` in force (with the
        prior state if `restoring`).

        Raises any HostError.
        """
        del inputs
        # destroy goes in reverse order, so the login in use may already be gone
        host.confirm_everywhere(patience, login="any" if restoring else "")

    def already_configured(self, inputs: I, seen: F) -> str:
        """Return which settings already exist, for `existing: fail`; empty if none do."""
        del inputs, seen
        return ""

    def is_bare(self, inputs: I, seen: F) -> bool:
        """Return whether nobody has configured any of this on the host yet."""
        del inputs, seen
        return False

    def irrecoverable(self, inputs: I, seen: F) -> bool:
        """Return whether a failed change destroyed something that applying `inputs` again does not restore."""
        del inputs, seen
        return False

    def same_settings(self, one: F, other: F) -> bool:
        """Return whether two facts have the same settings, whatever else differs."""
        return one == other

    def host_for_restore(self, host: "Host", inputs: I, known: KnownState[I, F]) -> "Host":
        """Return the host with only the logins that may `restore`. Raises Failure if there are none."""
        del inputs, known
        return host

    def stages(self, host: "Host", inputs: I, known: KnownState[I, F]) -> Sequence[I]:
        """Check, before create and update and as another login, what a script cannot see. Return the inputs to put in
        force one after the other; the last is `inputs`, and each is proved by a login before the next.

        Raises Failure if the change must not start.
        """
        del host, known
        return (inputs,)

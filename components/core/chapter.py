"""What a chapter of the guide says about a host, and the words it shares with the base that makes resources of it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
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
"""Exit status (EX_TEMPFAIL of sysexits.h) of a script that found the host other than expected and changed nothing."""


class Unfinished(Failure):
    """A change that failed and could not be rolled back, all or in part.

    `id` and `outs` are what the state must have, so that the next `up` finishes it or `destroy` undoes it.
    """

    def __init__(self, message: str, id_: str, outs: dict[str, Any]) -> None:
        super().__init__(message)
        self.id, self.outs = id_, outs


class Model(BaseModel):
    """Property names are camelCase in state, as Pulumi's are; values never change once made.

    A field of type `SecretStr` is masked wherever the model is printed. `props` alone has it in clear: the engine
    encrypts it, since the input of that name is a Pulumi secret.
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
        """Return the property values for the state, defaults included, what is not set left out."""
        values: dict[str, Any] = self.model_dump(by_alias=True, mode="json", exclude_none=True)
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                values[field.alias or name] = value.get_secret_value()
        return values


def worked_out(default: Any) -> Any:
    """Return the default of an input that no user gives: it says how things are when all is well, so that `refresh` can
    show that it is not."""
    return Field(default, json_schema_extra={"readOnly": True})


class ChapterInputs(Model):
    """What every chapter's resource takes.

    `host`: the host's name in the stack config, or any name when `connection` is given.
    `connection`: how to reach it (`admin`, `bootstrap`), where the stack config has no host of this name: its entry is
    read when a command runs, and goes before this. `existing`: what `create` does about settings that are there
    already: `adopt` or `fail`; `takeOver` takes also what another stack manages. `triggers`: texts whose change
    makes it look again, and make good what is not as declared: the packages that it configures were gone meanwhile.
    """

    host: str
    connection: dict[str, Any] | None = None
    existing: Literal["adopt", "fail", "takeOver"] = "adopt"
    triggers: tuple[str, ...] | None = None


I = TypeVar("I", bound=ChapterInputs)  # noqa: E741
F = TypeVar("F", bound=Model)


@dataclass(frozen=True)
class KnownState(Generic[I, F]):
    """What is known of a host before an operation; nothing at first.

    `last`, `recorded`: the inputs of the state, and what the host showed right after they were applied. `before`: what
    it shows now, as far as is known: `recorded` again, unless it was observed anew (`reobserved`). `prior`: what was
    there before `create`.
    """

    last: I | None = None
    recorded: F | None = None
    prior: F | None = None
    before: F | None = None
    reobserved: bool = False

    def seen(self, before: F) -> "KnownState[I, F]":
        """Return what is known after another look at the host."""
        return replace(self, before=before, reobserved=True)


class Chapter(ABC, Generic[I, F]):
    """One chapter of the guide in the host's terms. Stateless; its methods are pure and return scripts or values."""

    inputs: type[I]
    facts: type[F]
    replaced_by: ClassVar[frozenset[str]] = frozenset({"host"})
    """Inputs whose change makes it another resource."""
    changes: ClassVar[bool] = True
    """Whether it changes hosts at all: nothing is to be taken back otherwise."""
    keeps_records: ClassVar[bool] = False
    """Whether its scripts keep records of their own on the host, which `restore` drops."""
    proof: ClassVar[str] = "the login in use"
    """What `enter` proves: chapters that say the same share their logins. Empty: this chapter's differs."""

    @abstractmethod
    def title(self, inputs: I) -> str:
        """Name the resource in errors, as `firewall ipv4`; unique per host."""

    @abstractmethod
    def observe(self, inputs: I) -> Script:
        """Return the script that prints what is on the host now; it changes nothing."""

    @abstractmethod
    def parse(self, inputs: I, answer: Answer) -> F:
        """Turn what `observe` printed into facts."""

    @abstractmethod
    def apply(self, inputs: I, known: KnownState[I, F]) -> Script:
        """Return the script that makes the host as `inputs` say.

        It exits with `STALE`, having changed nothing, where the host is not as `known` and that matters.
        """

    @abstractmethod
    def restore(self, inputs: I, known: KnownState[I, F]) -> Script:
        """Return the script that puts `known.prior` back where `inputs` are in force; `STALE` as for `apply`."""

    @abstractmethod
    def differences(self, inputs: I, seen: F) -> str:
        """Say which part of `inputs` the host does not show after `apply`; empty when all of it is there."""

    @abstractmethod
    def as_observed(self, inputs: I, known: KnownState[I, F], seen: F) -> I:
        """Return `inputs` as the host shows them now: equal to `inputs` unless someone changed the host."""

    def guard(self, inputs: I, known: KnownState[I, F], access: HostAccess, *, restoring: bool = False) -> Guard | None:
        """Say how the change goes back by itself, where it could cut the way in by `access`; None where it cannot.

        The script of `apply` (of `restore`, when `restoring`) then calls `arm`, on a line of its own, right before it
        changes anything, and not at all where there is nothing to change; what makes the change survive a reboot
        belongs to the guard's `commit`.
        """
        del inputs, known, access, restoring
        return None

    def prove_login(self, host: "Host", inputs: I, patience: float, *, restoring: bool = False) -> None:
        """Prove over new connections, within `patience` seconds, that the host can be entered with `inputs` in force
        (with the prior state, when `restoring`).

        Raises any HostError.
        """
        del inputs
        # the login in use may be gone already when things are taken back in reverse order
        host.confirm_everywhere(patience, login="any" if restoring else "")

    def already_configured(self, inputs: I, seen: F) -> str:
        """Say what is there already, for `existing: fail`; empty when nothing is."""
        del inputs, seen
        return ""

    def irrecoverable(self, inputs: I, seen: F) -> bool:
        """Tell, after a failed change, whether it has destroyed what applying `inputs` again does not bring back."""
        del inputs, seen
        return False

    def same_settings(self, one: F, other: F) -> bool:
        """Tell whether both facts tell of the same settings, whatever else they tell."""
        return one == other

    def host_for_restore(self, host: "Host", inputs: I, known: KnownState[I, F]) -> "Host":
        """Return the host as seen by the logins that may `restore`. Raises Failure where there is none."""
        del inputs, known
        return host

    def stages(self, host: "Host", inputs: I, known: KnownState[I, F]) -> Sequence[I]:
        """Look before create and update at what a script can't see, as another login; return what to put in force one
        after the other, the last one `inputs`, each proved by a login before the next.

        Raises Failure where the change must not be begun.
        """
        del host, known
        return (inputs,)

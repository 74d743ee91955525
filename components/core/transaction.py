"""The change of one resource on one host, all or nothing: record, apply, observe, roll back."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Generic

from components.core import console
from components.core.change import Change, NoLogins
from components.core.chapter import STALE, Chapter, F, I, KnownState
from components.core.stored import as_observed
from components.failure import Failure
from hosts.errors import CommandFailed, HostError, understanding
from hosts.guard.record import (
    FOLDER,
    Owner,
    claimed,
    facts_of,
    forget,
    forget_after,
    read_ledger,
    record_name,
    remember,
    replayed,
    unchanged,
    unremember,
    written_back,
)
from hosts.shell import Answer, Script

if TYPE_CHECKING:
    from hosts.host import Host

ATTEMPTS = 4
_LOOKS = 6
_PAUSE = (
    "no new login works, with the previous settings either: something may limit connections, as `ufw limit` does. "
    "Trying once more after half a minute without any"
)


@dataclass
class Transaction(Generic[I, F]):
    """A change towards `inputs`.

    `recorded`: the owner that was read from the host's record. `claim`: the owner to record together with the prior
    state if the resource had none. `begun`: something may have been changed on the host. `prior`: the prior state, once
    known. `left`: what could not be restored, in sentences (sections `left.N` of a script).
    """

    chapter: Chapter[I, F]
    host: "Host"
    inputs: I
    recorded: Owner | None = None
    claim: Owner | None = None
    begun: bool = False
    prior: F | None = None
    left: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The resource's name on its host."""
        return self.chapter.title(self.inputs)

    def converge(self, known: KnownState[I, F]) -> F:
        """Apply, replanning while the host is not in the expected state. Return the facts afterwards.

        Raises `Failure` and any `HostError`. If `begun` is true by then, the rollback may be incomplete.
        """
        start = self.recorded, self.claim, self.prior
        with self._fitting():
            try:
                return self._converge(known)
            except NoLogins:
                self._pause()
                self.recorded, self.claim, self.prior = start  # the host has rolled back these, too
                return self._converge(known)

    def _pause(self) -> None:
        console.warn(f"{self.inputs.host}: {self.title}: {_PAUSE}")
        self.host.quiet()

    def _converge(self, known: KnownState[I, F]) -> F:
        chapter, title = self.chapter, self.title
        observe = chapter.observe(self.inputs)
        *steps, last = chapter.stages(self.host, self.inputs, known)
        with self.host.proofs.change(title):
            for number, step in enumerate(steps):
                change, known, _ = self._apply(step, known, continued=number > 0)
                change.prove()
            change, known, (applied, *after) = self._apply(last, known, continued=bool(steps))
            if change.armed_by(applied):
                after = [change.keep(observe)]
        seen = self._understood(after[0]) if after else self.observe()
        differences = chapter.differences(self.inputs, seen)
        if differences:
            raise Failure(f"{self.inputs.host}: {title}: applied, but not in force on the host: {differences}")
        return seen

    def observe(self) -> F:
        """Observe the host, sharing the round trip with other readers."""
        answer = self.host.read(self.chapter.observe(self.inputs), resource=self.title)
        return self._understood(answer)

    def as_observed(self, known: KnownState[I, F], seen: F, *, imported: bool = False) -> I:
        """Return the inputs as the host shows them."""
        with self._fitting():
            return as_observed(self.chapter, self.inputs, known, seen, imported=imported)

    def already_configured(self) -> str:
        """Return which settings already exist; empty if none do."""
        seen = self.observe()
        with self._fitting():
            return self.chapter.already_configured(self.inputs, seen)

    def _understood(self, answer: Answer) -> F:
        with self._fitting():
            return self.chapter.parse(self.inputs, answer)

    def _fitting(self) -> AbstractContextManager[None]:
        """Report unusable output of the host, which may print anything, as an error of its own kind."""
        return understanding(self.host.name, self.title, self.chapter.observe(self.inputs).step)

    def put_back(self, known: KnownState[I, F]) -> None:
        """Restore `known.prior` and drop the record."""
        with self._fitting():
            try:
                self._put_back(known)
            except NoLogins:
                self._pause()
                self._put_back(known)

    def _put_back(self, known: KnownState[I, F]) -> None:
        with self.host.proofs.change(self.title):
            change, armed = self._restore(known)
            if armed:
                change.keep(forget(self.title))
            elif change.guard is not None:
                change.run(forget(self.title))

    def taken_back(self) -> bool:
        """After a failed first change, restore the prior state. Return whether that worked and no record is left."""
        try:
            if self.prior is None and not self._found_prior():
                return True  # the connection broke before anything was recorded, and so before any change
            assert self.prior is not None
            # nothing was changed, or it was rolled back already
            if self.chapter.same_settings(self.prior, self.observe()) and not self.chapter.keeps_records:
                self.host.run(forget(self.title), resource=self.title)
                return True
            self.put_back(KnownState(self.inputs, None, self.prior, None).seen(self.observe()))
            return self.chapter.same_settings(self.prior, self.observe())
        except (HostError, Failure):
            return False

    def gone_back(self, last: I, known: KnownState[I, F]) -> bool:
        """After a failed later change, apply `last` again. Return whether it is in force and the host is as before."""
        try:
            again = Transaction(self.chapter, self.host, last, self.recorded)
            seen = again.observe()
            lost = self.chapter.irrecoverable(last, seen)
            same = known.recorded is not None and self.chapter.same_settings(known.recorded, seen)
            if not same or self.chapter.differences(last, seen):  # what `last` does not mention counts, too
                again.converge(KnownState(self.inputs, None, known.prior, None, earlier=known.earlier).seen(seen))
        except (HostError, Failure):
            return False
        return not lost

    def take_over(self, owner: Owner) -> None:
        """Record `owner` as the owner from now on."""
        self.host.run(claimed(self.title, self.recorded, owner), resource=self.title)
        self.recorded = owner

    def write_back(self, owner: Owner, prior: F) -> None:
        """Record `owner` and `prior` again after somebody removed the record."""
        self.host.run(written_back(self.title, owner, json.dumps(prior.props())), resource=self.title)
        self.recorded = owner

    def look(self) -> I | None:
        """Return the inputs that describe what the host has, starting with these; None if it has nothing of the kind.

        Raises Failure if that cannot be declared.
        """
        for _ in range(_LOOKS):
            script = self.chapter.observe(self.inputs)
            answer = self.host.read(script, resource=self.title)
            with self._fitting():
                found = self.chapter.existing(self.inputs, self.chapter.parse(self.inputs, answer), answer)
            if found is None or found == self.inputs:
                return found
            self.inputs = found
        raise Failure(f"{self.host.name}: {self.title}: something keeps changing the host; try again")

    def is_as_declared(self) -> bool:
        """Return whether the host is as the inputs declare already: a refresh would find no drift, or an import the
        same inputs."""
        seen = self.observe()
        try:
            with self._fitting():
                if self.chapter.in_force(self.inputs, seen):
                    return True
            sought = self.inputs.model_copy(update=dict(self.chapter.sought()))
            found = Transaction(self.chapter, self.host, sought).look()
        except Failure:
            return False
        return found == self.inputs

    def unlike(self) -> str:
        """Return what there is that is not as declared; "" if there is nothing of the kind yet."""
        with suppress(Failure):
            sought = self.inputs.model_copy(update=dict(self.chapter.sought()))
            if Transaction(self.chapter, self.host, sought).look() is None:
                return ""
        seen = self.observe()
        with self._fitting():
            return "" if self.chapter.is_bare(self.inputs, seen) else self.chapter.differences(self.inputs, seen)

    def is_untouched(self, prior: F) -> bool:
        """Return whether nothing is to be restored: what was only recorded is still as it was."""
        return self.inputs.existing == "asIs" and not self.chapter.keeps_records and self.observe() == prior

    def forget(self) -> None:
        """Drop the record, and change nothing else."""
        self.host.run(forget(self.title), resource=self.title)

    def adopt(self, owner: Owner) -> F:
        """Record `owner`, and the present state as the prior one unless there is a record; return the prior state."""
        script = remember(self.title, self.chapter.observe(self.inputs), self.recorded, owner)
        [answer] = self.host.run(script, resource=self.title)
        self.recorded = owner
        return self._recorded_prior(answer)

    def read_prior(self) -> F:
        """Return the prior state from the host's own record, which must exist."""
        script = remember(self.title, self.chapter.observe(self.inputs), self.recorded)
        [answer] = self.host.run(script, resource=self.title)
        return self._recorded_prior(answer)

    def look_up_prior(self) -> F:
        """The same without taking the host: another run may be changing it."""
        script = remember(self.title, self.chapter.observe(self.inputs), self.recorded)
        return self._recorded_prior(self.host.read(script, resource=self.title))

    def _found_prior(self) -> bool:
        """After a broken connection, read the prior state from the host's record. Return whether there is one."""
        found = read_ledger(self.host, self.title)
        self.recorded = found.owner(self.title)
        if found.has(self.title):
            self.prior = self.read_prior()
        return self.prior is not None

    def _restore(self, known: KnownState[I, F]) -> tuple[Change, bool]:
        """Restore, replanning while the host is not in the expected state. Also return whether the change is armed."""
        chapter, title, armed = self.chapter, self.title, False
        enter = partial(chapter.prove_login, self.host, self.inputs, restoring=True)
        for _ in range(ATTEMPTS):
            guard = chapter.guard(self.inputs, known, self.host.access, restoring=True)
            change = Change(self.host, title, guard, enter, chapter.proof and f"{chapter.proof}, before")
            restore = chapter.restore(self.inputs, known)
            whose = unchanged(title, self.recorded)
            script = restore if guard else forget_after(restore, title)
            *_, restored = change.run(whose, script, continued=armed)
            armed = armed or change.armed_by(restored)
            self.left += [text.strip() for name, text in restored.sections.items() if name.startswith("left.")]
            if restored.status != STALE:
                return change, armed
            known = known.seen(self.observe())
        raise _keeps_changing(change, armed)

    def _apply(
        self, step: I, known: KnownState[I, F], *, continued: bool
    ) -> tuple[Change, KnownState[I, F], Sequence[Answer]]:
        """Apply one `step` on the way to the inputs, replanning while the host is not in the expected state. Also
        return what `apply` printed and, unless a guard must be confirmed first, what `observe` printed."""
        chapter, title = self.chapter, self.title
        observe = chapter.observe(self.inputs)
        for _ in range(ATTEMPTS):
            guard = chapter.guard(step, known, self.host.access)
            change = Change(self.host, title, guard, partial(chapter.prove_login, self.host, step), chapter.proof)
            script = chapter.apply(step, known)
            last = [observe] if guard is None else []
            self.begun = True
            first = self._first(known, observe)
            try:
                looked, *answers = change.run(first, script, *last, continued=continued)
            except CommandFailed as error:
                self._take_in(known, error.answers[1:2])
                if known.prior is None and any(one.ran and one.status for one in error.answers[1:2]):
                    with suppress(HostError):
                        self.host.run(unremember(first), resource=title)
                raise
            self._take_in(known, [looked])
            known = replace(known, prior=self.prior)
            applied, *after = answers
            if applied.status != STALE:
                return change, known, answers
            continued = continued or change.armed_by(applied)
            known = known.seen(self._understood(after[0]) if after else self.observe())
        raise _keeps_changing(change, continued)

    def _first(self, known: KnownState[I, F], observe: Script) -> Script:
        if known.prior is None:
            return remember(self.title, observe, self.recorded, self.claim)
        return unchanged(self.title, self.recorded)

    def _recorded_prior(self, answer: Answer) -> F:
        try:
            facts = facts_of(answer)
            if facts:
                return self.chapter.facts.model_validate(json.loads(facts))
            return self.chapter.parse(self.inputs, replayed(answer))
        except (LookupError, ValueError) as error:
            self.begun = False
            raise Failure(
                f"{self.host.name}: {self.title}: the record of the prior state, "
                f"{FOLDER}/{record_name(self.title)} on the host, is damaged. Restore it from a backup; or remove it, "
                "and the present state counts as the prior one"
            ) from error

    def _take_in(self, known: KnownState[I, F], answers: Sequence[Answer]) -> None:
        """Process the answer of a run's first script. If it failed, nothing ran after it."""
        if not answers or answers[0].status != 0:
            self.begun = self.prior is not None
            return
        self.prior = known.prior or self._recorded_prior(answers[0])
        if self.claim is not None:
            self.recorded, self.claim = self.claim, None


def _keeps_changing(change: Change, armed: bool) -> Failure:
    back = f"\n  {change.go_back()}" if armed else ""
    return Failure(
        f"{change.host.name}: {change.title}: something keeps changing the host during this run; try again{back}"
    )

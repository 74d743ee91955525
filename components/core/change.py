"""One change of a host, from holding the host to the proof of login."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from components.core.chapter import STALE
from components.failure import Failure
from hosts.errors import CommandFailed, ConnectionLost, HostError, TimedOut, Unreachable
from hosts.guard.guarded import (
    BACK_TIME,
    GONE_BACK,
    LOG,
    Guard,
    armed,
    arms,
    committed,
    given_up,
    hold,
    is_armed,
    unguarded,
)
from hosts.shell import Answer, Script

if TYPE_CHECKING:
    from hosts.host import Host

BY_ITSELF = (
    "The host cannot be reached now. It rolls the change back by itself {limit} s after it was made, or at its next "
    f"boot, and logs that in {LOG}."
)
LIMITED = "Does something limit connections, as `ufw limit` or sshd's PerSourcePenalties do? Wait, then run this again"


class NoLogins(Failure):  # names a kind, as in hosts.errors
    """No new login works, although the previous settings are in force again: it was not the change."""


@dataclass(frozen=True)
class Change:
    """A change of `host` by the resource `title`, guarded or not.

    `enter` proves within the given number of seconds that a login works, or raises HostError. Changes with an equal,
    non-empty `same` share one proof.
    """

    host: "Host"
    title: str
    guard: Guard | None
    prove_login: Callable[[float], None]
    same: str = ""

    def run(self, *scripts: Script, continued: bool = False) -> list[Answer]:
        """Run the scripts in one round trip; any of them may answer `STALE`. With a guard, arm the script that calls
        `arm`.

        `continued`: the next step of a change that is already armed. Raises HostError. By then an armed change is
        rolled back, or the host will roll it back; the error says which.
        """
        if self.guard is not None and self.same:
            self.host.proofs.coming(self.title, self.same)
        steps = [self._ready(replace(script, accepts=script.accepts | {STALE}), continued) for script in scripts]
        try:
            return self.host.run(hold(self.host.identity), *steps, resource=self.title)[1:]
        except (CommandFailed, ConnectionLost, TimedOut) as error:
            if self.guard is not None:
                _add(error, self.go_back())
            raise

    def _ready(self, script: Script, continued: bool) -> Script:
        if not arms(script):
            return script
        if self.guard is None:
            return unguarded(script)
        return armed(script, self.guard, self.title, self.host.identity, continued=continued)

    def armed_by(self, answer: Answer) -> bool:
        """Return whether the script behind `answer` armed this change. Always false without a guard."""
        return self.guard is not None and is_armed(answer)

    def prove(self) -> None:
        """Prove over new connections that a login works while the change is armed.

        Raises `Failure` if none does. By then the host is rolled back, or will roll back by itself. It is `NoLogins` if
        none works without the change either.
        """
        assert self.guard is not None
        try:
            self._enter(self.guard.limit)
        except HostError as error:
            reverted, outcome = self._reverted()
            what = "the change was not kept: with it in force, no new login worked"
            if reverted and isinstance(error, Unreachable) and not self.host.lets_in():
                what = f"nothing was changed: no new login works, with the previous settings either. {LIMITED}"
                raise NoLogins(f"{self.host.name}: {self.title}: {what}. Tried: {error}\n{outcome}") from error
            raise Failure(f"{self.host.name}: {self.title}: {what}. Tried: {error}\n{outcome}") from error

    def _enter(self, limit: int) -> None:
        if self.same:
            self.host.proofs.prove(self.title, self.same, lambda: self.prove_login(limit / 2), limit / 10)
        else:
            self.prove_login(limit / 2)

    def keep(self, then: Script) -> Answer:
        """`prove`, then commit the change and run `then`."""
        assert self.guard is not None
        self.prove()
        return self._commit(self.guard, then)

    def _commit(self, guard: Guard, then: Script) -> Answer:
        """Commit and disarm. If the connection breaks, ask for the outcome over a new one."""
        run = self.host.identity
        commit = committed(guard, self.title, run)
        try:
            try:
                return self.host.run(commit, then, resource=self.title)[-1]
            except ConnectionLost:
                return self.host.run(hold(run), commit, then, resource=self.title)[-1]
        except CommandFailed as error:
            if error.exit_status != GONE_BACK and error.step == commit.step:
                _add(error, self.go_back())
            raise
        except (ConnectionLost, TimedOut, Unreachable) as error:
            _add(error, "Whether the host kept the change is unknown: `refresh` shows it, `up` finishes it.")
            raise

    def go_back(self) -> str:
        """Roll the host back now and return the outcome. If the host cannot be reached, it rolls back by itself."""
        return self._reverted()[1]

    def _reverted(self) -> tuple[bool, str]:
        """Roll the host back now. Return whether it did, and the outcome in words."""
        assert self.guard is not None
        script = given_up(self.title, self.host.identity)
        try:
            [answer] = self.host.run(script, resource=self.title, timeout=self.guard.limit + BACK_TIME)
        except CommandFailed as error:
            return False, str(error)
        except HostError:
            return False, BY_ITSELF.format(limit=self.guard.limit)
        return True, f"The host: {answer.stdout.strip()}." if answer.stdout.strip() else ""


def _add(error: HostError, sentence: str) -> None:
    error.hint = "\n  ".join(part for part in (error.hint, sentence) if part)

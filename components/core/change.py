"""One change of a host, from taking the host to the proof that it can still be entered."""

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


@dataclass(frozen=True)
class Change:
    """A change of `host` by the resource `title`, guarded or not.

    `enter` proves that the host can be entered, within so many seconds, or raises HostError. Changes whose `enter` does
    the `same`, if that is not empty, are proved together.
    """

    host: "Host"
    title: str
    guard: Guard | None
    prove_login: Callable[[float], None]
    same: str = ""

    def run(self, *scripts: Script, continued: bool = False) -> list[Answer]:
        """Run the scripts in one go; any may answer `STALE`. With a guard, the one that calls `arm` is armed.

        `continued`: the next step of a change that is armed already. Raises HostError; what was armed has gone back
        then, or goes back by itself, and the error says so.
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
        """Tell whether the script that gave `answer` has armed this change; what is not guarded cannot be."""
        return self.guard is not None and is_armed(answer)

    def prove(self) -> None:
        """Prove over new connections that the host can be entered while the change is armed.

        Raises `Failure` when it cannot: the host is as before then, or goes back by itself.
        """
        assert self.guard is not None
        try:
            self._enter(self.guard.limit)
        except HostError as error:
            raise Failure(
                f"{self.host.name}: {self.title}: the change was not kept: with it in force, no new login worked. "
                f"Tried: {error}\n{self.go_back()}"
            ) from error

    def _enter(self, limit: int) -> None:
        if self.same:
            self.host.proofs.prove(self.title, self.same, lambda: self.prove_login(limit / 2), limit / 10)
        else:
            self.prove_login(limit / 2)

    def keep(self, then: Script) -> Answer:
        """`prove`, then make the change last, and run `then`."""
        assert self.guard is not None
        self.prove()
        return self._commit(self.guard, then)

    def _commit(self, guard: Guard, then: Script) -> Answer:
        """Disarm. Where the connection breaks meanwhile, a new one asks what came of it."""
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
        """Let the host go back now, and say what came of it; where it does not hear us, it goes back by itself."""
        assert self.guard is not None
        script = given_up(self.title, self.host.identity)
        try:
            [answer] = self.host.run(script, resource=self.title, timeout=self.guard.limit + BACK_TIME)
        except CommandFailed as error:
            return str(error)
        except HostError:
            return BY_ITSELF.format(limit=self.guard.limit)
        return f"The host: {answer.stdout.strip()}." if answer.stdout.strip() else ""


def _add(error: HostError, sentence: str) -> None:
    error.hint = "\n  ".join(part for part in (error.hint, sentence) if part)

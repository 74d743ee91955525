"""One change of a host, from taking the host to the proof that it can still be entered."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from components.chapter import STALE, Failure
from hosts.errors import CommandFailed, HostError
from hosts.guard import Guard, armed, committed, given_up, hold
from hosts.shell import Answer, Script

if TYPE_CHECKING:
    from hosts.host import Host


@dataclass(frozen=True)
class Change:
    """A change of `host` by the resource `title`, guarded or not."""

    host: "Host"
    title: str
    guard: Guard | None

    def run(self, *scripts: Script) -> list[Answer]:
        """Run the scripts in one go; any may answer `STALE`. With a guard, the one that calls `arm` is armed.

        Raises HostError; what was armed has gone back then, or goes back by itself.
        """
        run = self.host.identity
        takes = hold(run)
        steps = [replace(script, accepts=script.accepts | {STALE}) for script in scripts]
        if self.guard is not None:
            steps = [armed(step, self.guard, self.title, run) if _arms(step) else step for step in steps]
        try:
            return self.host.run(takes, *steps, resource=self.title)[1:]
        except CommandFailed:
            if self.guard is not None:
                self._go_back()
            raise

    def keep(self, then: Script) -> Answer:
        """Prove over new connections that the host can be entered, make the change last, and run `then`.

        Raises `Failure` when it cannot be entered: the host is as before then.
        """
        assert self.guard is not None
        try:
            self.host.confirm_everywhere(timeout=self.guard.limit / 3)
        except HostError as error:
            self._go_back()
            raise Failure(
                f"{self.host.name}: {self.title}: taken back: with the change in force nobody could log in any more. "
                f"What was tried: {error}"
            ) from error
        return self.host.run(committed(self.guard, self.title, self.host.identity), then, resource=self.title)[-1]

    def _go_back(self) -> None:
        """Let the host go back now; where it does not hear us, it goes back by itself and we wait for that."""
        assert self.guard is not None
        with suppress(HostError):
            self.host.run(given_up(self.title, self.host.identity), resource=self.title, timeout=self.guard.limit + 30)


def _arms(script: Script) -> bool:
    return "\narm\n" in script.body

"""One host's runs over its connection. Everything here lives in the pool's loop."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncssh

from hosts.errors import CommandFailed, ConnectionLost, HostError, NotUnderstood, SudoRefused, TimedOut, Useless
from hosts.scripts import script as script_file
from hosts.shell import Answer, ComposedRun, GarbledError, Script, compose
from hosts.ssh import privilege
from hosts.ssh.channel import RunOutcome, execute
from hosts.ssh.connection import HostAccess
from hosts.ssh.dialing import OpenConnection
from hosts.ssh.login import ActiveLogin, LoginSequence
from hosts.ssh.sudo import Sudo
from hosts.waiting import CHANNEL_SLOT, waiting

CHANNELS = 8
"""Concurrent runs on one connection; sshd's MaxSessions is 10 by default."""
_REFUSALS = 12
_KILL_TIMEOUT = 15.0


class ChannelSlots:
    """How many channels may be open; adapts to a smaller MaxSessions when the host refuses one."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold one slot."""
        with waiting(CHANNEL_SLOT):
            async with self._changed:
                await self._changed.wait_for(lambda: self.taken < self.limit)
                self.taken += 1
        try:
            yield
        finally:
            async with self._changed:
                self.taken -= 1
                self._changed.notify_all()

    def refused(self) -> bool:
        """Note that the host refused another channel at `taken`. Return False if none of ours is open: waiting won't
        help."""
        self.limit = max(1, min(self.limit, self.taken))
        return self.taken > 0


class HostSession:
    """Runs scripts on one host, and batches concurrent reads."""

    def __init__(self, access: HostAccess, sequence: LoginSequence) -> None:
        self.access = access
        self.sequence = sequence
        self.slots = ChannelSlots(CHANNELS)
        self.runs = 0
        """Number of runs (channels)."""
        self.sudo = Sudo(access.name, sequence.guesses)

    async def run(
        self, scripts: Sequence[Script], resource: str, *, timeout: float | None, check: bool, stop_on_failure: bool
    ) -> list[Answer]:
        """See Host.run."""
        run = compose(scripts, stop_on_failure=stop_on_failure)
        way, outcome = await self._sent(run, resource, scripts[0].step, timeout)
        answers = self._answers(run, outcome, resource)
        whole = [answer for answer in answers if answer is not None]
        if check:
            for script, answer in zip(scripts, answers, strict=True):
                if answer is not None and answer.ran and answer.status not in script.accepts:
                    raise self.failure(script, answer, resource, tuple(whole))
        if not outcome.finished:
            raise await self._unfinished(run, way, outcome, resource)
        return whole

    async def attempt(self, scripts: Sequence[Script]) -> list[Answer | HostError]:
        """Run independent scripts together; each gets its answer or its own error. Scripts that an overdue one kept
        from starting get none, and the list is shorter than `scripts`."""
        run = compose(scripts, stop_on_failure=False)
        way, outcome = await self._sent(run, "", scripts[0].step, None)
        results: list[Answer | HostError] = []
        for script, answer in zip(scripts, self._answers(run, outcome, ""), strict=True):
            if answer is None:
                break
            failed = answer.status not in script.accepts
            results.append(self.failure(script, answer, "", (answer,)) if failed else answer)
        if not outcome.finished:
            error = await self._unfinished(run, way, outcome, "")
            affected = 1 if isinstance(error, TimedOut) and outcome.at >= 0 else len(scripts) - len(results)
            results += [error] * affected
        return results

    def _answers(self, run: ComposedRun, outcome: RunOutcome, resource: str) -> list[Answer | None]:
        try:
            return outcome.answers(run)
        except GarbledError as error:
            step = run.scripts[max(outcome.at, 0)].step
            raise NotUnderstood(str(error), host=self.access.name, resource=resource, step=step) from None

    def failure(self, script: Script, answer: Answer, resource: str, answers: tuple[Answer, ...]) -> CommandFailed:
        """The error for a script that exited with an unexpected status."""
        return CommandFailed(
            script.exits.get(answer.status, ""),
            exit_status=answer.status,
            stderr_tail=answer.stderr,
            answers=answers,
            secrets=self._secrets((script,)),
            host=self.access.name,
            resource=resource,
            step=script.step,
        )

    def _secrets(self, scripts: Sequence[Script]) -> tuple[str, ...]:
        return (*self.access.secrets(), *(secret for script in scripts for secret in script.plain_secrets().values()))

    async def _sent(
        self, run: ComposedRun, resource: str, step: str, timeout: float | None
    ) -> tuple[ActiveLogin, RunOutcome]:
        """Send a run over a working connection. Only what was certainly not sent is retried."""
        reconnected = False
        refusals = 0
        while True:
            try:
                way = await self.sequence.connected()
                async with self.slots.one():
                    entry = await self._entry(way.line, run.scripts)
                    self.runs += 1
                    outcome = await execute(way.line.ssh, entry, run, timeout)
                fault = self._fault(run, way, outcome)
                if fault is not None and await self.sudo.changed(way.line, fault):
                    continue
                if fault is None or not self.sequence.reject(way, fault):
                    return way, outcome
            except Useless as error:
                if not self.sequence.reject(way, error):
                    raise self._placed(error, resource, step) from None
            except HostError as error:
                raise self._placed(error, resource, step) from None
            except (asyncssh.Error, OSError) as error:
                refused = isinstance(error, asyncssh.ChannelOpenError) and way.line.alive
                if refused and self.slots.refused():
                    continue
                if refused and refusals < _REFUSALS:
                    # sshd counts a session until it has cleaned up, and does not say when
                    refusals += 1
                    await asyncio.sleep(0.05 * refusals)
                    continue
                if reconnected or way.line.alive:
                    raise ConnectionLost(
                        f"the host opens no session: {error}; nothing was sent",
                        host=self.access.name,
                        resource=resource,
                        step=step,
                    ) from None
                reconnected = True

    def _placed(self, error: HostError, resource: str, step: str) -> HostError:
        error.host = self.access.name
        error.not_reached |= isinstance(error, Useless) and bool(self.sequence.logins)
        return error.during(resource=resource, step=step)

    def _fault(self, run: ComposedRun, way: ActiveLogin, outcome: RunOutcome) -> Useless | None:
        """Return why the shell that reads the scripts did not start; None if it did, or still may."""
        ended = outcome.exit_status is not None or outcome.kept_out
        if outcome.finished or not ended or outcome.at >= 0 or outcome.pid(run) is not None:
            return None
        stdout, stderr = (text.decode("utf-8", "replace") for text in (outcome.stdout, outcome.stderr))
        if run.nonce in stdout + stderr:  # an echo of what we sent, including values and secrets
            stdout, stderr = "what it was sent", ""
        refused = privilege.refused(way.line.connection, stderr, outcome.exit_status)
        if refused is None and outcome.exit_status is None:
            return SudoRefused(f"sudo refuses {way.line.connection.user}: it asks for more than a password")
        return refused or privilege.no_shell(way.line.connection, stdout, stderr, outcome.exit_status or 0)

    async def _entry(self, line: OpenConnection, scripts: Sequence[Script]) -> privilege.RootShell:
        return await self.sudo.entry(line) if scripts[0].as_root else privilege.AS_LOGIN_USER

    async def _unfinished(self, run: ComposedRun, way: ActiveLogin, outcome: RunOutcome, resource: str) -> HostError:
        """Return why a run did not complete."""
        script = run.scripts[max(outcome.at, 0)]
        place = {"host": self.access.name, "resource": resource, "step": script.step}
        if outcome.overdue or outcome.flooded:
            stopped = await self._stop(run, way, outcome)
            why = (
                f"not finished within its time limit ({script.timeout:.0f} s)"
                if outcome.overdue
                else "printed too much"
            )
            state = "it was stopped" if stopped else "it may still be running on the host"
            return TimedOut(f"{why}; {state}", **place)
        stderr = outcome.stderr.decode("utf-8", "replace").replace(run.nonce, "")
        if (error := self._fault(run, way, outcome)) is not None:
            return self._placed(error, resource, script.step)
        if outcome.cut or (outcome.exit_status is None and outcome.signal is None):
            return ConnectionLost(
                "the connection broke in the middle; it is not known whether this step was completed",
                hint="Run it again: every step can be repeated.",
                **place,
            )
        status = f"signal {outcome.signal}" if outcome.signal else f"exit status {outcome.exit_status}"
        return CommandFailed(
            f"the shell on the host ended early ({status})" + (f": {stderr.strip()[-400:]}" if stderr.strip() else ""),
            exit_status=outcome.exit_status or -1,
            secrets=self._secrets(run.scripts),
            host=self.access.name,
            resource=resource,
            step=script.step,
        )

    async def _stop(self, run: ComposedRun, way: ActiveLogin, outcome: RunOutcome) -> bool:
        """Kill the processes of an overdue run, which sshd does not do when their channel closes."""
        pid = outcome.pid(run)
        if pid is None or not way.line.alive:
            return False
        as_root = run.scripts[0].as_root
        body, values = script_file("hosts/ssh/end_group.sh"), {"pid": str(pid)}
        script = Script("stop an overdue step", body, values, timeout=_KILL_TIMEOUT, as_root=as_root)
        entry = self.sudo.known_entry() if as_root else privilege.AS_LOGIN_USER
        try:
            return (await execute(way.line.ssh, entry, compose([script]), _KILL_TIMEOUT)).finished
        except (asyncssh.Error, OSError):
            return False

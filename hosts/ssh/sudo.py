"""Find the password that a host's sudo accepts before any script is sent, trying each once. In the pool's loop."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import asyncssh
from pydantic import SecretStr

from hosts.errors import ConnectionLost, SudoPasswordRefused, SudoRefused, Useless, tail
from hosts.shell import reveal
from hosts.ssh import privilege
from hosts.ssh.channel import OPEN_TIMEOUT
from hosts.ssh.dialing import OpenConnection
from hosts.ssh.guesses import Guesses

ANSWER_TIMEOUT = 30.0
"""Seconds until sudo answers a password: PAM delays two of them after a wrong one, directory services more."""
_LAST_WORDS = 10.0
_MOST_WORDS = 2**16


@dataclass(frozen=True)
class _Accepted:
    """The password that sudo accepted on a connection; None: it asked for none."""

    line: OpenConnection
    word: SecretStr | None


class Sudo:
    """sudo on one host. `outdated`: which of the config's passwords it refused, if it accepted a former one."""

    def __init__(self, host: str, guesses: Guesses) -> None:
        self.outdated = ""
        self._host = host
        self._guesses = guesses
        self._accepted: _Accepted | None = None
        self._turn = asyncio.Lock()

    async def entry(self, line: OpenConnection) -> privilege.RootShell:
        """Return how to become root on a connection. Raises SudoRefused and ConnectionLost."""
        words = line.connection.sudo_words
        if words == (None,):
            return privilege.as_root()
        async with self._turn:
            if self._accepted is None or self._accepted.line is not line:
                self._accepted = _Accepted(line, await self._first_taken(line, words))
            return privilege.as_root(self._accepted.word)

    def known_entry(self) -> privilege.RootShell:
        """The same, with what was accepted before."""
        return privilege.as_root(self._accepted.word if self._accepted is not None else None)

    async def changed(self, line: OpenConnection, fault: Useless) -> bool:
        """Handle a run refused with a password that used to be accepted. Return whether there is another one to try."""
        accepted = self._accepted
        if not isinstance(fault, SudoPasswordRefused) or accepted is None or accepted.line is not line:
            return False
        self._accepted = None
        async with self._guesses.turn(self._host, line.connection.user, reveal(accepted.word or "")) as guess:
            guess.refuse(fault)
        return len(line.connection.sudo_words) > 1

    def forget(self, user: str) -> None:
        """Forget refusals: a password of this user was changed, so refused ones may work now."""
        self._guesses.forget(self._host, user)
        self._accepted = None

    async def _first_taken(self, line: OpenConnection, words: Sequence[SecretStr | None]) -> SecretStr | None:
        """Return the first password that sudo accepts. Each is sent only once in this process, whoever asks."""
        user = line.connection.user
        refused: list[SudoRefused] = []
        for word in words:
            async with self._guesses.turn(self._host, user, reveal(word or "")) as guess:
                error = guess.refusal or await self._rehearsed(line, word)
                if error is None:
                    self.outdated = "" if word == words[0] else f"the sudoPassword of {user}"
                    return word
                guess.refuse(error)
                refused.append(error)
        raise refused[0].during(resource="")

    async def _rehearsed(self, line: OpenConnection, word: SecretStr | None) -> SudoRefused | None:
        """Return why sudo refuses a password; None if it accepts it."""
        status, stderr = await _rehearse(line.ssh, privilege.rehearsal(word))
        if status == 0:
            return None
        if status is None and not line.alive:
            raise ConnectionLost("the connection broke while sudo was asked; nothing else was sent")
        user, secrets = line.connection.user, tuple(line.connection.secrets())
        said = tail(stderr, 3) or "nothing"
        return privilege.refused(line.connection, stderr, status) or SudoRefused(
            f"sudo asks {user} for more than a password; it said: {said}", secrets=secrets
        )


async def _rehearse(ssh: asyncssh.SSHClientConnection, entry: privilege.RootShell) -> tuple[int | None, str]:
    """Run a rehearsal; return its exit status and output. Its input is closed only if necessary: if sudo asks again,
    PAM would count that as another wrong password."""
    async with asyncio.timeout(OPEN_TIMEOUT):
        process = await ssh.create_process(entry.command, encoding=None)
    said = bytearray()

    async def listen() -> None:
        while len(said) < _MOST_WORDS and (words := await process.stderr.read(4096)):
            said.extend(words)

    listening = asyncio.create_task(listen())
    stopped, ended = asyncio.create_task(process.stdout.read(4096)), asyncio.create_task(process.wait_closed())
    try:
        process.stdin.write(entry.head)
        await asyncio.wait((stopped, ended), timeout=ANSWER_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        process.stdin.write_eof()
        await asyncio.wait((ended, listening), timeout=_LAST_WORDS)
    finally:
        for task in (listening, stopped, ended):
            task.cancel()
        process.close()
    return process.exit_status, bytes(said).decode("utf-8", "replace")

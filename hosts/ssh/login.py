"""Logging in: admin first, bootstrap if admin is refused. Retries while a host boots; gives up on a dead host once."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hosts.errors import BEHIND, HostError, LoginRefused, Unreachable, Useless
from hosts.ssh.connection import FORMER, UNLIMITED, Connection
from hosts.ssh.dialing import OpenConnection, Refused, Transient, dial
from hosts.ssh.guesses import Guesses
from hosts.waiting import CONNECTING, RETRY, waiting

FIRST_DELAY = 0.25
LONGEST_DELAY = 3.0
LIMITED_AFTER, QUIET = 10.0, 31.0
"""A port that refuses connections for so many seconds may be one that limits them. A pause of so many ends that:
`ufw limit` refuses whoever connected six times in the last 30 seconds, and counts every refused packet twice."""
GIVEN_UP_FOR = 30.0
"""Seconds during which a failed host's error is repeated without another attempt. After that, a single attempt checks
whether it is back. Only once per process is the full wait for a booting host spent."""
_ROTATING = (
    "If a key or a password has been changed: while it is, give both, the new one first: `privateKeyFile: [new, old]`."
)


@dataclass(frozen=True)
class ActiveLogin:
    """An open connection and the login that opened it: "admin", "bootstrap" (or "proxy")."""

    login: str
    line: OpenConnection


@dataclass
class _Attempts:
    """The results of a sequence of logins so far, by login."""

    refused: dict[str, str]
    failures: dict[str, int] = field(default_factory=dict)
    cause: str = ""
    turned_away: bool = False
    """Whether the last attempt was refused a connection."""


class LoginSequence:
    """One host's connection: opened on first use, shared, reopened when it broke. Lives in the pool's loop."""

    def __init__(
        self,
        name: str,
        logins: tuple[tuple[str, Connection], ...],
        patience: float,
        handshakes_at_once: asyncio.Semaphore,
        jump_of: "Callable[[Connection], LoginSequence]",
        *,
        guesses: Guesses,
    ) -> None:
        self.name = name
        self.guesses = guesses
        self.logins = logins
        self._patience = patience
        self._handshakes_at_once = handshakes_at_once
        self._jump_of = jump_of
        self._lock = asyncio.Lock()
        self._way: ActiveLogin | None = None
        self._failure: HostError | None = None
        self._until = 0.0
        self._useless: dict[str, Useless] = {}
        self._left: list[OpenConnection] = []
        self.handshakes = 0
        """Total number of connections opened."""
        self.tried = -QUIET
        """When the last connection was tried, by this sequence or apart from it."""

    @property
    def way(self) -> ActiveLogin | None:
        """The open connection, if any."""
        return self._way if self._way is not None and self._way.line.alive else None

    async def connected(self) -> ActiveLogin:
        """Return the open connection, or a new one.

        Raises Unreachable, LoginRefused, HostKeyUnknown, HostKeyChanged, BadCredentials.
        """
        async with self._alone():
            if (way := self.way) is not None:
                return way
            now = asyncio.get_running_loop().time()
            if self._failure is not None and now < self._until:
                raise self._failure.during(resource="")
            try:
                self._way = await self._retry(0 if self._failure is not None else self._patience)
            except HostError as error:
                error.host, error.not_reached = self.name, True
                self._failure = error
                self._until = asyncio.get_running_loop().time() + GIVEN_UP_FOR
                raise error.during(resource="") from None
            self._failure = None
            return self._way

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        with waiting(CONNECTING):
            await self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    async def log_in_apart(self, logins: tuple[tuple[str, Connection], ...], patience: float) -> ActiveLogin:
        """Open a separate connection for the caller to close; its outcome is not remembered."""
        other = LoginSequence(
            self.name, logins, patience, self._handshakes_at_once, self._jump_of, guesses=self.guesses
        )
        try:
            return await other._retry(patience)
        except HostError as error:
            error.host = self.name
            raise
        finally:
            self.tried = max(self.tried, other.tried)

    async def quiet(self) -> None:
        """Wait until nobody has tried to connect for `QUIET` seconds."""
        loop = asyncio.get_running_loop()
        while (left := self.tried + QUIET - loop.time()) > 0:
            with waiting(RETRY):
                await asyncio.sleep(left)

    def holding(self, way: ActiveLogin) -> "LoginSequence":
        """A sequence that has this connection and opens no other."""
        other = LoginSequence(self.name, (), 0, self._handshakes_at_once, self._jump_of, guesses=self.guesses)
        other._way = way
        return other

    def reject(self, way: ActiveLogin, fault: Useless) -> bool:
        """Switch to the next login, because this one works but cannot be used. Return False if it is the last.

        Operations in progress on its connection run to their end.
        """
        others = {login for login, _ in self.logins} - {way.login, *self._useless}
        if not others:
            return False
        self._useless[way.login] = fault
        if self._way is way:
            self._left.append(way.line)
            self._way = None
        return True

    def renew(self) -> None:
        """Log in again if the login in use is by former credentials: the host accepts those of the config now.

        Operations in progress on its connection run to their end.
        """
        self._useless.clear()
        self._failure = None
        if self._way is not None and FORMER in self._way.login:
            self._left.append(self._way.line)
            self._way = None

    async def close(self) -> None:
        """Disconnect."""
        lines, self._left = [*self._left, *([self._way.line] if self._way is not None else [])], []
        self._way = None
        self._useless.clear()  # it may work by now
        for line in lines:
            await line.close()

    async def _retry(self, patience: float) -> ActiveLogin:
        loop = asyncio.get_running_loop()
        begun = since = loop.time()
        if not self.logins:
            raise Unreachable("the connection broke")
        useless = {login: f"{self._address(login)}: {fault.message}" for login, fault in self._useless.items()}
        seen = _Attempts(useless)
        delay = FIRST_DELAY
        while True:
            if (way := await self._round(seen)) is not None:
                return way
            if all(login in seen.refused for login, _ in self.logins):
                hint = "\n  ".join(dict.fromkeys(fault.hint for fault in self._useless.values() if fault.hint))
                attempts = tuple(f"{login} as {reason}" for login, reason in seen.refused.items())
                raise LoginRefused(attempts=attempts, hint=hint or _ROTATING)
            waited = loop.time() - begun
            pause = delay * random.uniform(0.75, 1.25)  # noqa: S311  # jitter, not cryptography
            if seen.turned_away and loop.time() - since > LIMITED_AFTER and waited + QUIET <= patience:
                pause, since = QUIET, loop.time() + QUIET
            if waited + pause > patience or self._exhausted(seen):
                raise self._unreachable(seen, waited)
            with waiting(RETRY):
                await asyncio.sleep(pause)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _round(self, seen: _Attempts) -> ActiveLogin | None:
        """Try each login once, except those already refused and those at an address that just did not answer."""
        silent: set[tuple[str, int]] = set()
        unanswered: set[str] = set()
        for login, connection in self.logins:
            if login in seen.refused or connection.endpoint in silent:
                continue
            try:
                tunnel = await self._tunnel(connection)
                self.tried = asyncio.get_running_loop().time()
                line = await dial(connection, self._handshakes_at_once, tunnel)
            except Refused as error:
                seen.refused[login] = str(error)
            except Transient as error:
                seen.cause, seen.turned_away = str(error), error.refused
                self.tried = asyncio.get_running_loop().time()
                silent.add(connection.endpoint)
                unanswered.add(login)
            else:
                self.handshakes += 1
                return ActiveLogin(login, line)
        for login in unanswered:
            seen.failures[login] = seen.failures.get(login, 0) + 1
        return None

    async def _tunnel(self, connection: Connection) -> OpenConnection | None:
        if connection.proxy is None:
            return None
        try:
            return (await self._jump_of(connection.proxy).connected()).line
        except HostError as error:
            renamed = error.during(resource="")
            renamed.message = f"{BEHIND}{connection.proxy.address}: {error.message}"
            raise renamed from None

    def _exhausted(self, seen: _Attempts) -> bool:
        limits = {login: connection.dial_error_limit for login, connection in self.logins}
        return all(limits[login] not in UNLIMITED and count >= limits[login] for login, count in seen.failures.items())

    def _address(self, login: str) -> str:
        return dict(reversed(self.logins))[login].address

    def _unreachable(self, seen: _Attempts, waited: float) -> Unreachable:
        tried = tuple(
            dict.fromkeys(connection.address for login, connection in self.logins if login not in seen.refused)
        )
        hint = "; ".join(f"refused before that: {login} as {reason}" for login, reason in seen.refused.items())
        return Unreachable(tried=tuple(dict.fromkeys(tried)), waited=waited, cause=seen.cause, hint=hint)

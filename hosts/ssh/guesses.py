"""Passwords that a host refused. None is sent to it twice, because each failure counts against the account."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hosts.errors import SudoRefused

_Key = tuple[str, str, bytes]


class Guesses:
    """The guesses of one process, by host and user. Lives in the pool's loop."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._refused: dict[_Key, SudoRefused] = {}
        self._turns: dict[_Key, asyncio.Lock] = {}

    @asynccontextmanager
    async def turn(self, host: str, user: str, password: str) -> AsyncIterator["Guess"]:
        """Hold the exclusive right to one guess."""
        key = (host, user, hashlib.blake2b(password.encode("utf-8", "surrogateescape"), key=self._salt).digest())
        async with self._turns.setdefault(key, asyncio.Lock()):
            yield Guess(self._refused, key)

    def forget(self, host: str, user: str) -> None:
        """Forget refusals: a password of this user was changed, so refused ones may work now."""
        for key in [key for key in self._refused if key[:2] == (host, user)]:
            del self._refused[key]


class Guess:
    """One password for one account."""

    def __init__(self, refused: dict[_Key, SudoRefused], key: _Key) -> None:
        self._refused, self._key = refused, key

    @property
    def refusal(self) -> SudoRefused | None:
        """The refusal in this process, or None."""
        return self._refused.get(self._key)

    def refuse(self, error: SudoRefused) -> None:
        """Record the refusal."""
        self._refused[self._key] = error

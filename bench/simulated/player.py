"""The server of simulated hosts: one process for any number of them.

Started by `endpoints.py`. Orders are lines of JSON on standard input, each answered by a line of JSON.
"""

import asyncio
import json
import re
import resource
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import asyncssh

from bench.simulated.keys import ALGORITHMS, Keys
from bench.simulated.recording import Answer, Question, Recording, composed, nonce_of, question_of, questions

UNKNOWN = 127
_READY = re.compile("echo (BECOME-SUCCESS-[a-z]+)")


@dataclass
class Simulated:
    """One host: its behaviour, and how often it has received each question."""

    delay: float = 0.0
    """Seconds before each answer."""
    changed: bool = False
    """It repeats its first answers, as if somebody had reverted everything by hand."""
    asked: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)


@dataclass
class Player:
    """All hosts of this process."""

    hosts: dict[str, Simulated]
    recording: Recording = field(default_factory=Recording)
    stats: Counter[str] = field(default_factory=Counter)
    unknown: set[str] = field(default_factory=set)
    looked: set[str] = field(default_factory=set)
    open: int = 0

    def order(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order from `endpoints.py`; returns what has happened since the last `forget`."""
        if "load" in order:
            self.recording = Recording.load(Path(order["load"]))
            self._rewind()
        if "set" in order:
            for address in order["hosts"]:
                vars(self.hosts[address]).update(order["set"])
        if order.get("forget"):
            self.stats, self.looked, self.unknown = Counter(), set(), set()
            self.stats["peak"] = self.open
        if order.get("rewind"):
            self._rewind()
        used = resource.getrusage(resource.RUSAGE_SELF)
        told = {"looked": sorted(self.looked), "unknown": sorted(self.unknown), "cpu": used.ru_utime + used.ru_stime}
        return {**self.stats, **told}

    def _rewind(self) -> None:
        for host in self.hosts.values():
            host.asked.clear()
            host.attempts.clear()

    def lets_in(self, host: Simulated, user: str) -> bool:
        """Whether this login succeeds: the n-th attempt like the n-th recorded one, later ones like the last."""
        past = self.recording.logins.get(user, [False])
        number = host.attempts[user]
        host.attempts[user] += 1
        return past[min(number, len(past) - 1)]

    def answer(self, host: Simulated, question: Question, about: str) -> Answer:
        """The n-th recorded answer for the n-th time a question is asked; later ones get the last."""
        past = self.recording.answers.get(question.key)
        if past is None:
            self.unknown.add(about[:300])
            return Answer("", "this question was not recorded\n", UNKNOWN)
        number = 0 if host.changed else host.asked[question.key]
        host.asked[question.key] += 1
        return past[min(number, len(past) - 1)]

    def reply(self, host: Simulated, command: str, stdin: bytes) -> tuple[bytes, bytes, int]:
        """Standard output, standard error and exit status for a command."""
        self.stats["runs"] += 1
        nonce = nonce_of(stdin)
        if nonce is None:
            question = question_of(command, stdin)
            answer = self.answer(host, question, command)
            return *question.filled(answer), answer.status
        text = stdin.replace(nonce, b"@nonce@")
        asked = _questions(text)
        self.stats["scripts"] += len(asked)
        parts = [question.filled(self.answer(host, question, text.decode("latin-1"))) for question in asked]
        return *composed(nonce, parts), 0


@lru_cache(maxsize=4096)
def _questions(text: bytes) -> list[Question]:
    return questions(text)


class _Door(asyncssh.SSHServer):
    def __init__(self, player: Player) -> None:
        self._player = player
        self._verdicts: dict[str, bool] = {}

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.address: str = conn.get_extra_info("sockname")[0]
        self.host = self._player.hosts[self.address]
        self._player.stats["connections"] += 1
        self._player.open += 1
        self._player.stats["peak"] = max(self._player.stats["peak"], self._player.open)

    def connection_lost(self, exc: Exception | None) -> None:
        self._player.open -= 1

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        if username not in self._verdicts:
            self._verdicts[username] = self._player.lets_in(self.host, username)
        return self._verdicts[username]

    def session_requested(self) -> "_Session":
        self._player.looked.add(self.address)
        return _Session(self._player, self.host)


class _Session(asyncssh.SSHServerSession[bytes]):
    def __init__(self, player: Player, host: Simulated) -> None:
        self._player, self._host = player, host
        self._stdin = bytearray()
        self._answered = False
        self._early = b""

    def connection_made(self, chan: Any) -> None:
        self._channel = chan

    def exec_requested(self, command: str) -> bool:
        self._command = command
        return True

    def session_started(self) -> None:
        if question_of(self._command, b"").key in self._player.recording.bare:
            self._answer()
        elif told := _READY.search(self._command):  # Ansible waits for this before it sends its input
            self._early = f"{told[1]}\n".encode()
            self._channel.write(self._early)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._stdin += data

    def eof_received(self) -> bool:
        self._answer()
        return True

    def _answer(self) -> None:
        if not self._answered:
            self._answered = True
            reply = self._player.reply(self._host, self._command, bytes(self._stdin))
            asyncio.get_running_loop().call_later(self._host.delay, self._send, *reply)

    def _send(self, stdout: bytes, stderr: bytes, status: int) -> None:
        if self._channel.is_closing():
            return
        self._channel.write(stdout.removeprefix(self._early))
        self._channel.write_stderr(stderr)
        self._channel.exit(status)


class _Doors:
    """The listener on each host's address."""

    def __init__(self, player: Player, options: asyncssh.SSHServerConnectionOptions, port: int) -> None:
        self._player, self._options, self._port = player, options, port
        self._listeners: dict[str, Any] = {}

    async def put(self, address: str, kind: str) -> None:
        """`open`: SSH; `silent`: accepts connections and sends nothing; `shut`: refuses them."""
        if (former := self._listeners.pop(address, None)) is not None:
            former.close()
        if kind == "open":
            self._listeners[address] = await asyncssh.listen(
                address, self._port, options=self._options, backlog=16, reuse_address=True
            )
        elif kind == "silent":
            loop = asyncio.get_running_loop()
            self._listeners[address] = await loop.create_server(
                asyncio.Protocol, address, self._port, reuse_address=True
            )


async def _serve(player: Player, keys: Keys, port: int) -> None:
    options = await asyncssh.SSHServerConnectionOptions.construct(
        server_factory=lambda: _Door(player), server_host_keys=[keys.host], encoding=None, **ALGORITHMS
    )
    doors = _Doors(player, options, port)
    for address in player.hosts:
        await doors.put(address, "open")
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print(json.dumps({"ready": len(player.hosts)}), flush=True)
    while line := await orders.readline():
        order = json.loads(line)
        for address in order.get("hosts", ()) if "door" in order else ():
            await doors.put(address, order["door"])
        print(json.dumps(player.order(order)), flush=True)


def main() -> None:
    """`python -m bench.simulated.player FOLDER PORT ADDRESS…`: serve until standard input ends."""
    folder, port, *addresses = sys.argv[1:]
    player = Player({address: Simulated() for address in addresses})
    asyncio.run(_serve(player, Keys(Path(folder)), int(port)))


if __name__ == "__main__":
    main()

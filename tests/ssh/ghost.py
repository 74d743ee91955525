"""A simulated host: it shows what this machine shows, and changes nothing.

It reads standard input as a host's sh would. It runs scripts that only look on this machine, and reports all others as
done. A `Lie` may change the answer: the host has root, and knows the mark of the run.
"""

import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from random import Random

from components.core.chapter import Chapter
from hosts.guard.record import LEDGER, record_name
from hosts.shell import Script, compose, quote

_NONCE = b"@nonce@"
_LOOK = 120


@dataclass(frozen=True)
class Said:
    """Output and exit status of a command."""

    stdout: bytes
    stderr: bytes = b""
    status: int = 0
    cut: bool = False
    """The connection breaks after the answer."""


Lie = Callable[[Said, bytes, Random], Said]
"""Maps an answer, the mark of the run and a random generator to the false answer."""


@dataclass
class Ghost:
    """`looks`: scripts that run on this machine. `owners`: lines of the record, by title."""

    looks: list[Script] = field(default_factory=list)
    told: dict[str, bytes] = field(default_factory=dict)
    """Prepared answers, by the text of the script, for what this machine may lack."""
    owners: dict[str, str] = field(default_factory=dict)
    lie: Lie | None = None
    chance: Random = field(default_factory=lambda: Random(0))
    asked: int = 0

    def knows(self, chapter: Chapter, inputs: Iterable) -> None:  # type: ignore[type-arg]
        """Run the scripts with which a chapter looks at a host on this machine."""
        self.looks += [chapter.observe(one) for one in inputs]

    def answer(self, _command: str, stdin: bytes) -> Said:
        """Answer one command."""
        self.asked += 1
        found = re.search(rb"_([0-9a-f]{32})\(\) \{\nNONCE=", stdin)
        nonce = found[1] if found else b"0" * 32
        blocks = re.split(rb"^_open \d+\n", stdin, flags=re.M)[1:] if found else []
        streams = [self._script(block.decode("utf-8", "surrogateescape")) for block in blocks]
        out, err = [b"\n@nonce@ P 1\n"], []
        for number, stream in enumerate(streams):
            out.append(b"\n@nonce@ S %d\n%s\n@nonce@ X 0\n" % (number, stream))
            err.append(b"\n@nonce@ S %d\n\n@nonce@ X 0\n" % number)
        text, errors = (b"".join(parts) + b"\n@nonce@ Z\n" for parts in (out, err))
        said = Said(text.replace(_NONCE, nonce), errors.replace(_NONCE, nonce))
        return self.lie(said, nonce, self.chance) if self.lie else said

    def _script(self, block: str) -> bytes:
        if quote(LEDGER.body) in block:
            return self._ledger()
        for look in self.looks:
            if f"eval {quote(look.body)}" in block:
                return self.look(look)
            if f"record_observe={quote(look.body)}" in block:
                kept = self.look(look).replace(_NONCE, b"f" * 32)
                return section("record", b"f" * 32 + b"\n" + kept + b"\n" + b"f" * 32 + b" Z\n")
        return section("armed", b"/var/lib/stockade/guard/x\n") if self.chance.random() < 0.3 else b""

    def look(self, script: Script) -> bytes:
        """The output of a script that only looks, with a placeholder for the mark of the run."""
        told = self.told.get(script.body)
        return seen(script.body, tuple(script.values.items())) if told is None else told

    def _ledger(self) -> bytes:
        names = {record_name(title): line for title, line in self.owners.items()}
        owners = "".join(f"{name} {line}\n" for name, line in names.items())
        priors = "".join(f"{name}\n" for name in names)
        parts = {"id": "0123456789abcdef\n", "keys": "", "owners": owners, "priors": priors, "armed": ""}
        return b"".join(section(name, text.encode()) for name, text in parts.items())


def section(name: str, content: bytes) -> bytes:
    return b"\n@nonce@ B %s\n%s\n@nonce@ E\n" % (name.encode(), content)


@cache
def seen(body: str, values: tuple[tuple[str, str], ...]) -> bytes:
    """The output of a script that changes nothing, on this machine, with a placeholder for the mark of the run."""
    run = compose([Script("look", body, dict(values))])
    done = subprocess.run(["sh"], input=run.text, capture_output=True, timeout=_LOOK, check=False)
    mark = run.nonce.encode()
    start, end = done.stdout.index(mark + b" S 0\n") + len(mark) + 5, done.stdout.rindex(b"\n" + mark + b" X ")
    return done.stdout[start:end].replace(mark, _NONCE)


def _pieces(said: Said, nonce: bytes) -> list[bytes]:
    return said.stdout.split(b"\n" + nonce + b" ")


def _with_one(said: Said, nonce: bytes, chance: Random, change: Callable[[bytes], bytes]) -> Said:
    """Change the content of one section, or of the output outside sections."""
    pieces = _pieces(said, nonce)
    some = [number for number, piece in enumerate(pieces) if piece.startswith(b"B ")] or [len(pieces) - 1]
    number = chance.choice(some)
    head, _, content = pieces[number].partition(b"\n")
    pieces[number] = head + b"\n" + change(content)
    return Said((b"\n" + nonce + b" ").join(pieces), said.stderr, said.status)


def _without(said: Said, nonce: bytes, chance: Random) -> Said:
    """Drop one mark and the output after it."""
    pieces = _pieces(said, nonce)
    if len(pieces) > 1:
        del pieces[chance.randrange(1, len(pieces))]
    return Said((b"\n" + nonce + b" ").join(pieces), said.stderr)


def _shuffled(said: Said, nonce: bytes, chance: Random) -> Said:
    first, *pieces = _pieces(said, nonce)
    chance.shuffle(pieces)
    return Said((b"\n" + nonce + b" ").join([first, *pieces]), said.stderr)


def _mixed(content: bytes, chance: Random) -> bytes:
    """Words and lines in another order, some twice, some missing."""
    lines = content.split(b"\n")
    words = [word for line in lines for word in line.split(b" ")]
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(lines))
        lines[at] = b" ".join(chance.choices(words or [b""], k=chance.randrange(0, 8)))
    return b"\n".join(lines)


_ODD = (
    *("-1", "99999999999999999999", "9" * 5000, "0x10", "NaN", "1e999", "\u0663", "", " ", "\t", "\r\n", "\0"),
    *("../../etc/shadow", "/etc/sudoers.d/zz", "$(id)", "`id`", "'", '"', "\\", "%n%s", "{}", "[", '{"a":', "null"),
    *("\x1b[2J\x1b]0;x\a", "\u202e", "\u200b", "<!--", "```", "|", "::1%eth0", "999.1.1.1", "root:x:0:0::/:/bin/sh"),
)


def _odd_words(content: bytes, chance: Random) -> bytes:
    lines = content.split(b"\n")
    at = chance.randrange(len(lines))
    words = re.split(rb"([ :=,\t])", lines[at])
    words[chance.randrange(len(words))] = chance.choice(_ODD).encode()
    lines[at] = b"".join(words)
    return b"\n".join(lines)


def _much(chance: Random) -> bytes:
    """Half a megabyte of one thing."""
    unit = chance.choice(
        [b"A", b"\n", b"9", b"[", b'{"a":', b"a b\n", b"*filter\n", b"-A INPUT -j ACCEPT\n", b"\xff", b"a:"]
    )
    return unit * (2**19 // len(unit))


def _nested(said: Said, nonce: bytes, chance: Random) -> Said:
    mark = b"\n" + nonce + b" "
    forged = mark.join([b"", b"E\n", b"B " + chance.choice([b"account", b"saved", b"record"]) + b"\n", b"X 0\n"])
    return _with_one(said, nonce, chance, lambda content: content + forged + content)


LIES: Mapping[str, Lie] = {
    "odd words": lambda said, nonce, chance: _with_one(said, nonce, chance, lambda text: _odd_words(text, chance)),
    "mixed words": lambda said, nonce, chance: _with_one(said, nonce, chance, lambda text: _mixed(text, chance)),
    "random bytes": lambda said, nonce, chance: _with_one(said, nonce, chance, lambda _: chance.randbytes(200)),
    "nothing": lambda said, nonce, chance: _with_one(said, nonce, chance, lambda _: b""),
    "half": lambda said, nonce, chance: _with_one(said, nonce, chance, lambda text: text[: len(text) // 2]),
    "bytes between": lambda said, nonce, chance: _with_one(
        said, nonce, chance, lambda text: text[: len(text) // 2] + chance.randbytes(3) + text[len(text) // 2 :]
    ),
    "much": lambda said, nonce, chance: _with_one(said, nonce, chance, lambda _: _much(chance)),
    "marks": _nested,
    "a mark less": _without,
    "marks in another order": _shuffled,
    "errors": lambda said, nonce, chance: Said(
        said.stdout.replace(nonce + b" X 0", nonce + b" X %d" % chance.randrange(256)),
        b"\n" + nonce + b" S 0\n\x1b[2J" + _much(chance) + b"sudo: a password is required\n" + said.stderr,
    ),
    "a break": lambda said, _nonce, chance: Said(said.stdout[: chance.randrange(len(said.stdout))], b"", 0, cut=True),
    "an early end": lambda said, _nonce, chance: Said(
        said.stdout[: chance.randrange(len(said.stdout))], b"sudo: no tty\n", chance.randrange(256)
    ),
    "another program": lambda _said, _nonce, chance: Said(chance.randbytes(300), chance.randbytes(300), 0),
}

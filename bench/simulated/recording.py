"""The answers of a real host, and how the same question to another host is recognised.

A question is a remote command with its standard input. Stockade sends several scripts in one run, combined with
whatever other reads there are, so each script is a question of its own (`hosts/shell.py`). Random marks (nonces,
tokens, process numbers) become placeholders in questions, and are filled in again in answers.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

_RUN = re.compile(rb"_([0-9a-f]{32})\(\) \{\nNONCE=")
_START = re.compile(rb'^if \[ -z "\$_skip" \]; then\n_open (\d+)\n', re.M)
_MARK = re.compile(
    rb'\{"claim": [^}\n]*\}|'  # who owns a host (hosts/guard/record.py)
    rb"[0-9a-f]{16,}|(?<=process )\d+|(?<=BECOME-SUCCESS-)[a-z]+|ansible-tmp-[0-9.-]+"
)
_NONCE = b"@nonce@"


@dataclass(frozen=True)
class Answer:
    """An answer: bytes as latin-1 text, with placeholders for the question's random marks."""

    stdout: str
    stderr: str
    status: int = 0


@dataclass
class Recording:
    """Answers by question, and the logins by user, each in chronological order."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    logins: dict[str, list[bool]] = field(default_factory=dict)
    bare: set[str] = field(default_factory=set)
    """Questions without input: they are answered without waiting for the end of the input."""

    def save(self, file: Path) -> None:
        """Write it as JSON."""
        data = {**asdict(self), "bare": sorted(self.bare)}
        file.write_text(json.dumps(data, indent=1))

    @classmethod
    def load(cls, file: Path) -> "Recording":
        """Read what `save` wrote."""
        data = json.loads(file.read_text())
        answers = {key: [Answer(**item) for item in items] for key, items in data["answers"].items()}
        return cls(answers, data["logins"], set(data["bare"]))

    def add(self, command: str, stdin: bytes, stdout: bytes, stderr: bytes, status: int) -> None:
        """Record one exchange."""
        nonce = nonce_of(stdin)
        if nonce is None:
            question = Question.of(_plain(command, stdin))
            self.answers.setdefault(question.key, []).append(question.masked(stdout, stderr, status))
            if not stdin:
                self.bare.add(question.key)
            return
        for number, question in enumerate(questions(stdin.replace(nonce, _NONCE))):
            parts = [_between(stream, nonce, number) for stream in (stdout, stderr)]
            self.answers.setdefault(question.key, []).append(question.masked(*parts, status))


@dataclass(frozen=True)
class Question:
    """One question: its key, and the random marks in it."""

    key: str
    marks: tuple[bytes, ...]

    @classmethod
    def of(cls, text: bytes) -> "Question":
        """Identify a question from its text."""
        marks = tuple(dict.fromkeys(mark for mark in _MARK.findall(text) if len(mark) >= 16))
        return cls(sha256(_MARK.sub(b"@mark@", text)).hexdigest(), marks)

    def masked(self, stdout: bytes, stderr: bytes, status: int) -> Answer:
        """Replace the marks in an answer with placeholders."""
        for number, mark in enumerate(self.marks):
            stdout, stderr = (text.replace(mark, b"@mark%d@" % number) for text in (stdout, stderr))
        return Answer(stdout.decode("latin-1"), stderr.decode("latin-1"), status)

    def filled(self, answer: Answer) -> tuple[bytes, bytes]:
        """Fill this question's marks into an answer: standard output and error."""
        stdout, stderr = answer.stdout.encode("latin-1"), answer.stderr.encode("latin-1")
        if b"@mark" in stdout or b"@mark" in stderr:
            for number, mark in enumerate(self.marks):
                stdout, stderr = (text.replace(b"@mark%d@" % number, mark) for text in (stdout, stderr))
        return stdout, stderr


def nonce_of(stdin: bytes) -> bytes | None:
    """The nonce of one of Stockade's runs; None for any other input."""
    found = _RUN.search(stdin)
    return found[1] if found else None


def questions(text: bytes) -> list[Question]:
    """The scripts of one of Stockade's runs; the nonce has been removed from `text`."""
    starts = list(_in_order(text))
    ends = [*(match.start() for match in starts[1:]), text.rfind(b"\nprintf '")]
    return [Question.of(text[match.end() : end].strip()) for match, end in zip(starts, ends, strict=True)]


def _in_order(text: bytes) -> Iterator[re.Match[bytes]]:
    """The starts of the scripts 0, 1, …: a script's own text may look like the start of a later one."""
    wanted = 0
    for match in _START.finditer(text):
        if int(match[1]) == wanted:
            wanted += 1
            yield match


def question_of(command: str, stdin: bytes) -> Question:
    """A question that is not one of Stockade's runs."""
    return Question.of(_plain(command, stdin))


def _plain(command: str, stdin: bytes) -> bytes:
    # Ansible's input differs each time (the date in an archive), but its questions come in the same order.
    return command.encode() + (b"" if len(stdin) > 10_000 else b"\n" + stdin)


def _between(stream: bytes, nonce: bytes, number: int) -> bytes:
    """The output of a script, from its start mark to its end mark, without the nonce; empty if it was skipped."""
    start = stream.find(b"\n%s S %d\n" % (nonce, number))
    if start < 0:
        return b""
    end = re.compile(b"\n" + nonce + rb" X -?\d+\n").search(stream, start)
    return (
        stream[start : end.end() if end else len(stream)]
        .replace(nonce, _NONCE)
        .replace(b"%s S %d\n" % (_NONCE, number), _NONCE + b" S @number@\n", 1)
    )


def composed(nonce: bytes, parts: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """The streams of one of Stockade's runs, composed from those of its scripts."""
    numbered = [
        tuple(stream.replace(b"S @number@", b"S %d" % number, 1) for stream in part)
        for number, part in enumerate(parts)
    ]
    end = b"\n@nonce@ Z\n"
    stdout = b"\n@nonce@ P 1\n" + b"".join(out for out, _ in numbered) + end
    stderr = b"".join(err for _, err in numbered) + end
    return stdout.replace(_NONCE, nonce), stderr.replace(_NONCE, nonce)

"""Scripts for a host's sh, composed into one text that is sent over stdin and answered in one round trip.

The text is one shell function followed by one line that calls it, so sh has read everything before it runs anything: if
the connection breaks while sending, nothing is executed. Each script runs in its own subshell (`exit` ends only that
script) and is a quoted string until its turn, so even a syntax error is contained.

Answers come back on stdout and stderr between marker lines that carry the run's nonce: 128 random bits, which reach the
host only over stdin and appear in no environment and no argument list, so no file can contain them. Content is
byte-exact (arbitrary bytes, missing final newline) and needs no encoding. Bytes that are not UTF-8 are still text, and
are sent back as the same bytes (`hosts/text/rawtext.py`). An answer in any other form is a `GarbledError`.

A shell inherits its working directory and limits from the login, and sudo passes them on. So scripts run as root start
in / (some programs look for files in the working directory), with the file, CPU and open-file limits raised.

Every run begins with `hosts/prelude.sh`, which defines what scripts may use.
"""

import re
import secrets as random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pydantic import SecretStr

from hosts.scripts import script as script_file
from hosts.text.rawtext import to_bytes, to_text

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset({"PATH", "IFS", "LC_ALL", "HOME", "ENV", "PWD", "OPTIND", "PS4"})

SKIPPED = -1
"""`Answer.status` of a script that was skipped because an earlier one failed."""


def _empty() -> Mapping[str, str]:
    return MappingProxyType({})


def _no_secrets() -> Mapping[str, SecretStr | str]:
    return MappingProxyType({})


def _no_exits() -> Mapping[int, str]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Script:
    """A POSIX sh script with its data. It runs with `set -eu`, umask 077, LC_ALL=C and empty stdin."""

    step: str
    """What the script does, for errors: "observe the firewall"."""
    body: str = field(repr=False)
    values: Mapping[str, str] = field(default_factory=_empty, repr=False)
    """Become shell variables of the same names (not exported)."""
    secrets: Mapping[str, SecretStr | str] = field(default_factory=_no_secrets, repr=False)
    """Likewise, but masked in every error."""
    exits: Mapping[int, str] = field(default_factory=_no_exits)
    """Exit statuses that the script reserves, with the message for each."""
    accepts: frozenset[int] = frozenset({0})
    """Exit statuses that are results, not failures."""
    timeout: float = 120
    """Time limit in seconds, from its start on the host."""
    as_root: bool = True

    def __post_init__(self) -> None:
        for name in (*self.values, *self.secrets):
            if not _NAME.fullmatch(name) or name in _RESERVED or name.startswith("_"):
                raise ValueError(f"{self.step}: not a name for a shell variable: {name!r}")
        if both := set(self.values) & set(self.secrets):
            raise ValueError(f"{self.step}: both value and secret: {', '.join(sorted(both))}")
        for name, value in (*self.values.items(), *self.plain_secrets().items()):
            if "\0" in value:
                raise ValueError(f"{self.step}: {name} has a NUL byte, which no shell variable can hold")

    def plain_secrets(self) -> dict[str, str]:
        """The secrets in plain text, by name."""
        return {name: reveal(secret) for name, secret in self.secrets.items()}


@dataclass(frozen=True)
class Answer:
    """The output and exit status of one script. Contents are left out of repr, because they may be secret."""

    stdout: str = field(repr=False)
    """Output outside of sections."""
    stderr: str = field(repr=False)
    status: int
    sections: Mapping[str, str] = field(default_factory=_empty, repr=False)
    """By name. A section that was not ended is left out, because half a file is not the file."""

    @property
    def ran(self) -> bool:
        """False if an earlier failure made the run skip it."""
        return self.status != SKIPPED


@dataclass(frozen=True)
class ComposedRun:
    """Several scripts as one text, with the nonce to parse the answers."""

    scripts: tuple[Script, ...]
    nonce: str
    text: bytes = field(repr=False)

    @property
    def finished(self) -> bytes:
        """The bytes that end both streams of a completed run."""
        return f"\n{self.nonce} Z\n".encode()

    def started(self, index: int) -> bytes:
        """The bytes that show that script `index` started."""
        return f"\n{self.nonce} S {index}\n".encode()


def reveal(secret: SecretStr | str) -> str:
    """Return a secret in plain text."""
    return secret.get_secret_value() if isinstance(secret, SecretStr) else secret


def quote(value: str) -> str:
    """`value` as one sh word, always in single quotes."""
    return "'" + value.replace("'", "'\\''") + "'"


def assigned(values: Mapping[str, str]) -> str:
    """Values as sh assignments, one per line; they precede a program that is stored on the host."""
    return "".join(f"{name}={quote(value)}\n" for name, value in values.items())


def compose(scripts: Sequence[Script], *, stop_on_failure: bool = True, nonce: str = "") -> ComposedRun:
    """Join `scripts` into one run. With `stop_on_failure`, scripts after a failed one are skipped."""
    nonce = nonce or random.token_hex(16)
    lines = [f"_{nonce}() {{", f"NONCE={nonce}", script_file("hosts/prelude.sh")]
    for index, script in enumerate(scripts):
        lines += _block(index, script, stop_on_failure)
    end = f"printf '\\n{nonce} Z\\n'; printf '\\n{nonce} Z\\n' >&2"
    # errors of the group itself (a signal, a dead shell) must not be attributed to a script
    lines += [end, "return 0", "}", f"_{nonce} </dev/null", ""]
    return ComposedRun(tuple(scripts), nonce, to_bytes("\n".join(lines)))


def _block(index: int, script: Script, stop_on_failure: bool) -> list[str]:
    data = {**script.values, **script.plain_secrets()}
    accepted = "|".join(str(status) for status in sorted(script.accepts))
    return [
        'if [ -z "$_skip" ]; then',
        f"_open {index}",
        "(",
        f"{assigned(data)}set -eu",
        f"eval {quote(script.body)}",
        ")",
        "_status=$?",
        '_close "$_status"',
        *([f"case $_status in {accepted}) ;; *) _skip=1 ;; esac"] if stop_on_failure else []),
        "fi",
    ]


class GarbledError(ValueError):
    """An answer that does not have the form of a run's output."""


def parse(run: ComposedRun, stdout: bytes, stderr: bytes) -> list[Answer | None]:
    """The answers of a run, one per script: None for one that neither finished nor was skipped.

    Raises `GarbledError`.
    """
    count = len(run.scripts)
    out, err = _split(run.nonce, stdout, count), _split(run.nonce, stderr, count)
    whole = stdout.endswith(run.finished)
    answers: list[Answer | None] = []
    for index in range(count):
        block = out.get(index)
        if block is None or block.status is None:
            answers.append(Answer("", "", SKIPPED) if whole else None)
            continue
        errors = err.get(index)
        answers.append(
            Answer(_text(block.free), _text(errors.free) if errors else "", block.status, _sections(block.sections))
        )
    return answers


def replay(nonce: str, stream: bytes) -> Answer:
    """One script's output with `nonce` as its marker, from its first byte to its end marker. Raises `GarbledError`."""
    begun, ended = f"\n{nonce} S 0\n".encode(), f"\n{nonce} Z\n".encode()
    if not stream.endswith(ended):
        raise GarbledError("it is cut off")
    block = _split(nonce, begun + stream, 1)[0]
    return Answer(_text(block.free), "", 0, _sections(block.sections))


@dataclass
class _Block:
    free: list[bytes] = field(default_factory=list)
    sections: dict[str, bytes] = field(default_factory=dict)
    status: int | None = None


def _split(nonce: str, stream: bytes, count: int) -> dict[int, _Block]:
    """Split a stream at its markers: `P pid` begins a run of `count` scripts, `S n` starts script n, `B name`/`E` a
    section, `X status` ends a script, `Z` all."""
    blocks: dict[int, _Block] = {}
    block = _Block()
    section: str | None = None
    held = b""
    for piece in stream.split(f"\n{nonce} ".encode())[1:]:
        head, _, content = piece.partition(b"\n")
        kind, _, argument = head.decode("ascii", "replace").partition(" ")
        if kind == "S":
            block = blocks.setdefault(_number(argument, count - 1), _Block())
        elif kind == "X":
            block.status, section = _number(argument, _HIGHEST_STATUS), None
            continue
        elif kind == "E" and section is not None:
            block.sections[section] = held
            section = None
        elif kind == "B":
            section, held = argument, content
            continue
        elif kind not in _KINDS:
            raise GarbledError(f"it has a mark of no kind: {kind[:20]!r}")
        block.free.append(content)
    return blocks


_KINDS = frozenset("PEZ")
_HIGHEST_STATUS = 255


def _number(text: str, most: int) -> int:
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) > most:
        raise GarbledError(f"it has {text[:20]!r} where a number up to {most} is expected")
    return int(text)


def _sections(raw: Mapping[str, bytes]) -> Mapping[str, str]:
    return MappingProxyType({name: to_text(content) for name, content in raw.items()})


def _text(pieces: Sequence[bytes]) -> str:
    return to_text(b"".join(pieces))

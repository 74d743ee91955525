"""A host without SSH: a stage (tests/shell_room.py) for whole runs, and a chapter that manages one word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from components.core.chapter import STALE, Chapter, ChapterInputs, KnownState, Model
from hosts.errors import CommandFailed, ConnectionLost, HostError, Unreachable
from hosts.guard.guarded import Guard, RunIdentity
from hosts.guard.proofs import Proofs
from hosts.host import RecordCopy
from hosts.shell import Answer, Script
from hosts.ssh.connection import HostAccess

if TYPE_CHECKING:
    from hosts.host import Host
    from tests.shell_room import Stage

WORD = "/etc/word"
SAVE = f"cp -p {WORD} $guard/word 2>/dev/null || :"
BACK = f"if [ -f $guard/word ]; then cp -p $guard/word {WORD}; else rm -f {WORD}; fi"


class WordInputs(ChapterInputs):
    """`word`: the content of the file. `guarded`: a login confirms the change. `kept`: the commit succeeds."""

    word: str
    guarded: bool = False
    kept: bool = True


class WordFacts(Model):
    """The content of the file; None if it does not exist."""

    word: str | None = None


class WordChapter(Chapter[WordInputs, WordFacts]):
    """Manages a file with one word."""

    inputs = WordInputs
    facts = WordFacts

    def title(self, inputs: WordInputs) -> str:
        return "word"

    def observe(self, inputs: WordInputs) -> Script:
        return Script("look at the word", f"[ ! -f {WORD} ] || section word cat {WORD}")

    def parse(self, inputs: WordInputs, answer: Answer) -> WordFacts:
        return WordFacts(word=answer.sections.get("word"))

    def apply(self, inputs: WordInputs, known: KnownState[WordInputs, WordFacts]) -> Script:
        return self._written("write the word", inputs.word, known)

    def restore(self, inputs: WordInputs, known: KnownState[WordInputs, WordFacts]) -> Script:
        return self._written("put the word back", known.prior.word if known.prior else None, known)

    def _written(self, step: str, word: str | None, known: KnownState[WordInputs, WordFacts]) -> Script:
        before = known.before or known.prior
        there = "" if before is None or before.word is None else before.word
        body = f'[ -n "$unseen" ] || [ "$(cat {WORD} 2>/dev/null)" = "$before" ] || exit {STALE}\narm\n'
        body += f'printf %s "$word" >{WORD}' if word is not None else f"rm -f {WORD}"
        return Script(step, body, {"before": there, "word": word or "", "unseen": "" if before else "yes"})

    def differences(self, inputs: WordInputs, seen: WordFacts) -> str:
        return "" if seen.word == inputs.word else f"the word is {seen.word}"

    def as_observed(self, inputs: WordInputs, known: KnownState[WordInputs, WordFacts], seen: WordFacts) -> WordInputs:
        return inputs.model_copy(update={"word": seen.word})

    def guard(
        self,
        inputs: WordInputs,
        known: KnownState[WordInputs, WordFacts],
        access: HostAccess,
        *,
        restoring: bool = False,
    ) -> Guard | None:
        if not inputs.guarded:
            return None
        return Guard(SAVE, BACK, ":" if inputs.kept else "echo no room >&2; exit 1", {}, limit=600)


@dataclass
class StagedHost:
    """The part of a `Host` that a transaction uses. `before` is called with the steps of each run, and may change the
    stage or raise; `after` likewise, after the run."""

    stage: Stage
    token: str = "one"
    locked: bool = False
    """Whether no new login works with the change in force."""
    limited: int = 0
    """How many new logins are refused, whatever is in force, before a pause."""
    pauses: int = 0
    steps: list[str] = field(default_factory=list)
    logins: int = 0
    tried: list[str] = field(default_factory=list)
    """Which login each proof asked for."""
    before: Callable[[list[str]], None] = lambda _steps: None
    after: Callable[[list[str]], None] = lambda _steps: None

    def __post_init__(self) -> None:
        self.name, self.login = "web1", "admin"
        self.proofs = Proofs()
        self.ledger = RecordCopy()
        self.identity = RunIdentity(self.token, f"run {self.token}")
        self.access = HostAccess.model_validate({"name": "web1", "admin": {"host": "192.0.2.1", "user": "deploy"}})

    def run(self, *scripts: Script, resource: str = "", timeout: float | None = None) -> list[Answer]:
        """Carry out one run, as `Host.run` does."""
        names = [script.step for script in scripts]
        self.steps += names
        self.before(names)
        answers = self.stage.run(*scripts)
        self.after(names)
        for script, answer in zip(scripts, answers, strict=True):
            assert answer is not None, f"the shell ended in: {script.step}"
            if answer.ran and answer.status not in script.accepts:
                told = tuple(one for one in answers if one is not None)
                message = script.exits.get(answer.status, "")
                raise CommandFailed(
                    message, exit_status=answer.status, stderr_tail=answer.stderr, answers=told, step=script.step
                )
        return [answer for answer in answers if answer is not None]

    def read(self, script: Script, resource: str = "") -> Answer:
        """Run one script."""
        return self.run(script, resource=resource)[0]

    def confirm_everywhere(self, patience: float, *, login: str = "", port: int | None = None) -> None:
        """Prove a login."""
        self.logins += 1
        self.tried.append(login)
        self.limited = max(self.limited - 1, 0)
        if (self.locked and self.stage.read(WORD) == "ours") or self.limited:
            raise Unreachable("nobody answers", host=self.name)

    def lets_in(self) -> bool:
        """As `Host.lets_in`."""
        try:
            self.confirm_everywhere(0, login="any")
        except Unreachable:
            return False
        return True

    def quiet(self) -> None:
        """As `Host.quiet`, at once."""
        self.pauses += 1

    def as_host(self) -> Host:
        """The same, typed as a `Host`."""
        return cast("Host", self)


def cut(step: str, *, times: int = 1) -> Callable[[list[str]], None]:
    """Return a callback that breaks the connection in the first `times` runs with this step."""
    left = [times]

    def at(steps: list[str]) -> None:
        if step in steps and left[0]:
            left[0] -= 1
            raise ConnectionLost("the connection broke", host="web1")

    return at


def failure_of(work: Callable[[], Any]) -> str:
    """Return the message of an operation that must fail."""
    try:
        work()
    except (HostError, Exception) as error:
        return str(error)
    raise AssertionError("it did not fail")

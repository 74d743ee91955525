"""What listens on a host, compared with what is expected."""

from components.core.chapter import Chapter, KnownState
from components.failure import Failure
from components.listeners.settings import (
    EXPECTED,
    ON_LOOPBACK,
    SHAPE,
    ListenerFacts,
    ListenerInputs,
    complaint,
    entry_for,
)
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.system.listeners import Listener, listeners

_NAME_LENGTH = 15
"""Of a process name as the kernel stores it, which an entry may have been written with."""


class ListenerChapter(Chapter[ListenerInputs, ListenerFacts]):
    """Observes the host. The only change: installs net-tools if there is neither ss nor netstat."""

    inputs = ListenerInputs
    facts = ListenerFacts
    importable = ("listeners",)
    changes = False

    def title(self, inputs: ListenerInputs) -> str:
        return "listeners"

    def observe(self, inputs: ListenerInputs) -> Script:
        return Script(step="list what listens", body=script("components/listeners/observe.sh"))

    def parse(self, inputs: ListenerInputs, answer: Answer) -> ListenerFacts:
        if "tool" in answer.sections:
            return ListenerFacts(tool=False)
        found = listeners(answer.sections)
        facing = [one for one in found if not one.loopback]
        return ListenerFacts(
            listening=_said(facing),
            unexpected=_said([one for one in found if judged(one, inputs)]),
            loopback=_said([one for one in found if one.loopback]),
        )

    def apply(self, inputs: ListenerInputs, known: KnownState[ListenerInputs, ListenerFacts]) -> Script:
        return Script(step="look for ss or netstat", body=script("components/listeners/apply.sh"), timeout=900)

    def restore(self, inputs: ListenerInputs, known: KnownState[ListenerInputs, ListenerFacts]) -> Script:
        ours = known.prior is not None and not known.prior.tool
        values = {"ours": "yes" if ours else ""}
        return Script("remove net-tools", script("components/listeners/restore.sh"), values, timeout=900)

    def differences(self, inputs: ListenerInputs, seen: ListenerFacts) -> str:
        """Raise `Failure` if unexpected listeners must fail the run."""
        if seen.unexpected and inputs.unexpected == "fail":
            raise Failure(f"{inputs.host}: {self.title(inputs)}: {complaint(seen.unexpected)}")
        return "" if seen.tool else "neither ss nor netstat"

    def existing(self, inputs: ListenerInputs, seen: ListenerFacts, answer: Answer) -> ListenerInputs:
        """What listens now is expected, as narrowly as can be said."""
        wanted = sorted({*inputs.expected, *map(entry_for, seen.unexpected)})
        return inputs.model_copy(update={"expected": tuple(wanted)})

    def as_observed(
        self, inputs: ListenerInputs, known: KnownState[ListenerInputs, ListenerFacts], seen: ListenerFacts
    ) -> ListenerInputs:
        """Return unexpected listeners that were not there at the last run."""
        before = set(known.recorded.unexpected) if known.recorded else set()
        new = tuple(one for one in seen.unexpected if one not in before)
        return inputs.model_copy(update={"unexpected_listeners": new})


def expected(one: Listener, entries: tuple[str, ...]) -> bool:
    """Whether an entry covers this listener. The built-in entries do not cover programs run by a person, such as an
    sshd with its own configuration or a forwarded port."""
    for entry in entries:
        if one.person and entry in (*EXPECTED, *ON_LOOPBACK):
            continue
        shape = SHAPE.fullmatch(entry)
        if (
            shape
            and shape["who"] in {"", one.process, one.package, one.process[:_NAME_LENGTH]}
            and shape["port"] in {None, str(one.port)}
            and shape["protocol"] in {None, one.protocol}
        ):
            return True
    return False


def judged(one: Listener, inputs: ListenerInputs) -> bool:
    """Whether it must be expected, and is not."""
    if one.loopback and not inputs.loopback:
        return False
    return not expected(one, (*inputs.expected, *ON_LOOPBACK) if one.loopback else inputs.expected)


def _said(found: list[Listener]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(one) for one in found))

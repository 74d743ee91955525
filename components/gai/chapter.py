"""gai.conf of a host: how it is observed, and how its line for IPv4 is added and removed."""

from components.core.chapter import STALE, Chapter, KnownState
from components.gai.settings import (
    FILE,
    PreferenceFacts,
    PreferenceInputs,
    prefers_ipv4,
    with_ipv4_first,
    without_ipv4_first,
)
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.system.files import FILE_EXITS, file_state

Seen = KnownState[PreferenceInputs, PreferenceFacts]


class PreferenceChapter(Chapter[PreferenceInputs, PreferenceFacts]):
    """Which of a name's addresses a host tries first."""

    inputs = PreferenceInputs
    facts = PreferenceFacts
    importable = ("address preference",)

    def title(self, inputs: PreferenceInputs) -> str:
        return "address preference"

    def observe(self, inputs: PreferenceInputs) -> Script:
        body = script("hosts/system/files.sh") + 'show_file file "$path"\n'
        return Script("read gai.conf", body, {"path": FILE}, exits=FILE_EXITS)

    def parse(self, inputs: PreferenceInputs, answer: Answer) -> PreferenceFacts:
        return PreferenceFacts(file=file_state(answer.sections, "file").packed())

    def apply(self, inputs: PreferenceInputs, known: Seen) -> Script:
        if not known.before:
            return Script("read gai.conf first", f"exit {STALE}")
        if not inputs.ipv4_first:
            return self.restore(inputs, known)
        return _written(known.before, with_ipv4_first(known.before.text))

    def restore(self, inputs: PreferenceInputs, known: Seen) -> Script:
        now, prior = known.before or PreferenceFacts(), known.prior or known.before or PreferenceFacts()
        ours = now.file.other or now.text in (with_ipv4_first(prior.text), prior.text)
        if not ours:  # others changed more than we did
            return _written(now, now.text if prefers_ipv4(prior.text) else without_ipv4_first(now.text))
        values = {"path": FILE, **_expected(now), **prior.file.unpacked().values("prior")}
        return Script("put gai.conf back", script("components/gai/restore.sh"), values, exits=FILE_EXITS)

    def differences(self, inputs: PreferenceInputs, seen: PreferenceFacts) -> str:
        as_declared = prefers_ipv4(seen.text) or not inputs.ipv4_first
        return "" if as_declared else f"{FILE} does not prefer IPv4"

    def as_observed(self, inputs: PreferenceInputs, known: Seen, seen: PreferenceFacts) -> PreferenceInputs:
        return inputs.model_copy(update={"ipv4_first": inputs.ipv4_first and prefers_ipv4(seen.text)})

    def already_configured(self, inputs: PreferenceInputs, seen: PreferenceFacts) -> str:
        return f"{FILE} already prefers IPv4" if prefers_ipv4(seen.text) else ""


def _expected(seen: PreferenceFacts) -> dict[str, str]:
    return seen.file.unpacked().values("expected")


def _written(now: PreferenceFacts, text: str) -> Script:
    file = now.file
    mode, owner, group = (file.mode, file.owner, file.group) if file.mode else ("644", "root", "root")
    values = {"path": FILE, "mode": mode, "owner": owner, "group": group, "content": text, **_expected(now)}
    return Script("edit gai.conf", script("components/gai/edit.sh"), values, exits=FILE_EXITS)

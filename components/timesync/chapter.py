"""The unit of a time daemon: how it is observed, put in force and restored."""

from collections.abc import Mapping
from typing import Any

from components.core.chapter import Chapter, KnownState
from components.timesync.settings import DAEMONS, TimeSyncFacts, TimeSyncInputs
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.system.services import ServiceState, service_states


class TimeSyncChapter(Chapter[TimeSyncInputs, TimeSyncFacts]):
    """The unit is enabled and running; another resource installs its package."""

    inputs = TimeSyncInputs
    facts = TimeSyncFacts
    importable = ("time sync",)
    replaced_by = frozenset({"host", "daemon"})

    def title(self, inputs: TimeSyncInputs) -> str:
        return "time sync"

    def observe(self, inputs: TimeSyncInputs) -> Script:
        return Script("read the time daemon", script("components/timesync/observe.sh"), _unit(inputs))

    def parse(self, inputs: TimeSyncInputs, answer: Answer) -> TimeSyncFacts:
        unit = _unit(inputs)["unit"]
        state = service_states(answer.sections["state"]).get(unit, ServiceState(unit, "absent", "inactive"))
        cap_sys_time = 1 << 25  # capabilities(7)
        capable = int(answer.sections["capable"].strip() or "0", 16) & cap_sys_time
        return TimeSyncFacts(enabled=state.enabled, active=state.active, may_set_clock=bool(capable))

    def apply(self, inputs: TimeSyncInputs, known: KnownState[TimeSyncInputs, TimeSyncFacts]) -> Script:
        return Script("enable the time daemon", script("components/timesync/apply.sh"), _unit(inputs))

    def restore(self, inputs: TimeSyncInputs, known: KnownState[TimeSyncInputs, TimeSyncFacts]) -> Script:
        enabled, active = (known.prior.enabled, known.prior.active) if known.prior else ("absent", "inactive")
        values = {**_unit(inputs), "enabled": enabled, "active": active}
        return Script("restore the time daemon", script("components/timesync/restore.sh"), values)

    def differences(self, inputs: TimeSyncInputs, seen: TimeSyncFacts) -> str:
        if seen.enabled != "enabled":
            return f"{inputs.daemon} is {seen.enabled}"
        if seen.may_set_clock and seen.active != "active":
            return f"{inputs.daemon} is {seen.active}: journalctl -u {inputs.daemon}"
        return ""

    def as_observed(
        self, inputs: TimeSyncInputs, known: KnownState[TimeSyncInputs, TimeSyncFacts], seen: TimeSyncFacts
    ) -> TimeSyncInputs:
        """A stopped or disabled daemon shows as not running."""
        if not self.differences(inputs, seen):
            return inputs
        return inputs.model_copy(update={"running": False})

    def sought(self) -> Mapping[str, Any]:
        return {"daemon": DAEMONS[0]}

    def existing(self, inputs: TimeSyncInputs, seen: TimeSyncFacts, answer: Answer) -> TimeSyncInputs | None:
        """The first daemon that is in force."""
        if not self.differences(inputs, seen):
            return inputs
        left = DAEMONS[DAEMONS.index(inputs.daemon) + 1 :]
        return inputs.model_copy(update={"daemon": left[0]}) if left else None


def _unit(inputs: TimeSyncInputs) -> dict[str, str]:
    return {"unit": f"{inputs.daemon}.service"}

"""A system upgrade of a host: made once for each trigger, as the host's own record says.

Source: the guide, "Update Your System-Frequently"; apt-get(8).
"""

from components.core.chapter import Chapter, KnownState
from components.updates.upgrade.settings import UpgradeFacts, UpgradeInputs
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.system.distro import UNSUPPORTED_EXIT
from hosts.system.files import FILE_EXITS, file_state

RECORD = "/var/lib/stockade/upgrade"
"""The last upgrade's digest, then what it changed, line by line."""
TIMEOUT = 3600
"""Seconds for an upgrade, including 300 that it waits for another package manager."""
EXITS = {**FILE_EXITS, **UNSUPPORTED_EXIT}

Seen = KnownState[UpgradeInputs, UpgradeFacts]


class UpgradeChapter(Chapter[UpgradeInputs, UpgradeFacts]):
    """Upgrades all packages. An upgrade is not undone: neither after a failure, nor by delete."""

    inputs = UpgradeInputs
    facts = UpgradeFacts
    changes = False
    keeps_records = True

    def title(self, inputs: UpgradeInputs) -> str:
        return "system upgrade"

    def observe(self, inputs: UpgradeInputs) -> Script:
        body = script("components/updates/upgrade/observe.sh")
        return Script("read the last upgrade", body, {"record": RECORD}, exits=EXITS)

    def parse(self, inputs: UpgradeInputs, answer: Answer) -> UpgradeFacts:
        done, *changes = file_state(answer.sections, "record").content.splitlines() or [""]
        return UpgradeFacts(done=done, changes=tuple(changes), reboot_due=answer.sections["reboot"].strip() == "yes")

    def apply(self, inputs: UpgradeInputs, known: Seen) -> Script:
        values = {"record": RECORD, "digest": inputs.digest, "full": "yes" if inputs.full else ""}
        body = script("components/updates/upgrade/apply.sh")
        return Script("upgrade all packages", body, values, exits=EXITS, timeout=TIMEOUT)

    def restore(self, inputs: UpgradeInputs, known: Seen) -> Script:
        return Script("forget the last upgrade", script("components/updates/upgrade/restore.sh"), {"record": RECORD})

    def differences(self, inputs: UpgradeInputs, seen: UpgradeFacts) -> str:
        return "" if seen.done == inputs.digest else f"its record, {RECORD}, is missing"

    def as_observed(self, inputs: UpgradeInputs, known: Seen, seen: UpgradeFacts) -> UpgradeInputs:
        return inputs.model_copy(update={"upgraded": seen.done == inputs.digest})

    def same_settings(self, one: UpgradeFacts, other: UpgradeFacts) -> bool:
        return one.done == other.done

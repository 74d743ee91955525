"""Updates of a `HardenedHost`: automatic ones, and a system upgrade on demand."""

from components.core.composition import Composition, Needs, RegisteredChapter
from components.updates.resource import AutomaticUpdates
from components.updates.settings import PACKAGES, SECURITY, UpdateSettings
from components.updates.upgrade.resource import SystemUpgrade
from components.updates.upgrade.settings import UpgradeSettings


def needs(_settings: UpdateSettings) -> Needs:
    """Return the package that installs updates."""
    return Needs(tuple(PACKAGES))


def declare(host: Composition, settings: UpdateSettings) -> None:
    """Declare automatic updates."""
    props = host.props(settings.props()) | {"triggers": host.configures(*PACKAGES)}
    updates = AutomaticUpdates(host.name, props, host.after("packages", "users"))
    sources = "security sources" if settings.origins == SECURITY else f"{len(settings.origins)} sources"
    reboot = f"reboot at {settings.reboot_time} where needed" if settings.reboot_time else "no reboot"
    host.enforced["updates"] = updates.enabled.apply(lambda on: f"daily from {sources}, {reboot}" if on else "off")
    host.add("updates", updates)


def declare_upgrade(host: Composition, settings: UpgradeSettings) -> None:
    """Declare the system upgrade, if it has a trigger."""
    if settings.trigger is None:
        return
    opts = host.after("packages", "users", "firewall", "sshd", "time_sync")
    upgrade = SystemUpgrade(host.name, host.props(settings.props()), opts)
    host.enforced["upgrade"] = upgrade.reboot_due.apply(_in_words)
    host.add("upgrade", upgrade)


def _in_words(reboot_due: bool | None) -> str:
    if reboot_due is None:  # in a preview
        return "not upgraded yet"
    return "reboot due" if reboot_due else "no reboot due"


UPDATES = RegisteredChapter(declare, needs)
UPGRADE = RegisteredChapter(declare_upgrade)

"""The kernel's settings of a `HardenedHost`."""

from components.core.composition import Composition, RegisteredChapter
from components.sysctl.resource import Sysctl
from components.sysctl.settings import SysctlSettings


def declare(host: Composition, settings: SysctlSettings) -> None:
    """Declare the settings, beside the firewall: one login proves both."""
    sysctl = Sysctl(host.name, host.props(settings.props()), host.after("packages", "users"))
    host.enforced["sysctl"] = sysctl.settings.apply(lambda text: text.splitlines())
    host.add("sysctl", sysctl)


SYSCTL = RegisteredChapter(declare)

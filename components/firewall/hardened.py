"""The firewall of a `HardenedHost`."""

from typing import Any

from components.core.composition import Composition, Needs, RegisteredChapter
from components.firewall.resource import Firewall
from components.firewall.settings import FirewallSettings
from components.gai.resource import AddressPreference


def needs(settings: FirewallSettings) -> Needs:
    """Return the packages that load rules at boot."""
    present = () if settings.keep else tuple(settings.packages)
    return Needs(present, take_over=bool(settings.take_over))


def declare(host: Composition, settings: FirewallSettings) -> None:
    """Declare both rulesets, and if IPv6 is denied, the preference for IPv4."""
    opts = host.after("packages", "users")
    existing: Any = host.existing
    firewall = Firewall(
        host.name,
        host.name,
        settings,
        connection=host.given,
        packages=host.packages,
        installs=False,
        ssh_ports=host.wanted.sshd.ports if host.wanted.sshd else (),
        existing=existing,
        opts=opts,
    )
    host.enforced["firewall"] = firewall.enforced
    if not host.as_is and not settings.uses_ipv6:
        AddressPreference(host.name, host.props({}), opts)
    host.add("firewall", firewall)


FIREWALL = RegisteredChapter(declare, needs)

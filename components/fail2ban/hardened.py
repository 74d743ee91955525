"""Fail2Ban on a `HardenedHost`."""

from components.core.composition import Composition, Needs, RegisteredChapter
from components.fail2ban.jails import jails_in
from components.fail2ban.resource import Fail2Ban
from components.fail2ban.settings import PACKAGES, STARTED_HERE, Fail2BanSettings


def needs(_settings: Fail2BanSettings) -> Needs:
    """Return the package. Its service is started together with the jails."""
    return Needs(tuple(PACKAGES), unstarted=tuple(STARTED_HERE))


def declare(host: Composition, settings: Fail2BanSettings) -> None:
    """Declare the jails. They take as long as firewall and sshd together, and share only the xtables lock with them."""
    props = host.props(settings.props()) | {"triggers": host.configures(*PACKAGES)}
    # the unit is PartOf=firewalld.service: stopping that stops it too
    stopping = ("firewall", "sshd") if host.wanted.firewall and host.wanted.firewall.take_over else ()
    jails = Fail2Ban(host.name, props, host.after("packages", "users", *stopping))
    host.enforced["fail2ban"] = jails.config.apply(lambda text: _limits(text) if settings.enabled else {})
    host.add("fail2ban", jails)


def _limits(text: str) -> dict[str, str]:
    return {
        name: f"{jail.value('maxretry')} failures in {jail.value('findtime')}: banned for {jail.value('bantime')}"
        for name, jail in jails_in(text).items()
        if jail.enabled
    }


FAIL2BAN = RegisteredChapter(declare, needs)

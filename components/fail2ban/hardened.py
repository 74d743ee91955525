"""Fail2Ban on a `HardenedHost`."""

from components.core.composition import Composition, Needs, Registered
from components.fail2ban.resource import Fail2BanJails
from components.fail2ban.settings import PACKAGES, STARTED_HERE, Fail2BanSettings


def needs(_settings: Fail2BanSettings) -> Needs:
    """Return the package; its service is started with the jails."""
    return Needs(tuple(PACKAGES), unstarted=tuple(STARTED_HERE))


def declare(host: Composition, settings: Fail2BanSettings) -> None:
    """Declare the jails. They take as long as firewall and sshd together, and share only xtables' lock with them."""
    props = host.props(settings.props()) | {"triggers": host.packages.came_back(*PACKAGES)}
    # the unit is PartOf=firewalld.service: stopping that stops it, too
    stopping = ("firewall", "sshd") if host.wanted.firewall and host.wanted.firewall.take_over else ()
    jails = Fail2BanJails(host.name, props, host.after("packages", "users", *stopping))
    host.enforced["fail2ban"] = jails.config.apply(lambda text: text.count("enabled = true"))
    host.add("fail2ban", jails)


FAIL2BAN = Registered(declare, needs)

"""The SSH daemon of a `HardenedHost`."""

from collections.abc import Mapping
from typing import Any

from pulumi import Input

from components.core.composition import Composition, RegisteredChapter
from components.sshd.resource import Sshd
from components.sshd.settings import SshdSettings
from hosts.ssh.connection import HostAccess


def declare(host: Composition, settings: SshdSettings) -> None:
    """Declare the settings of sshd; after the firewall if sshd may move, because the firewall must accept the new
    port."""
    before = ["packages", "users"]
    if settings.declares_ports or not _only_port_22(host.connection):
        before.append("firewall")
    sshd = Sshd(host.name, host.props(settings.props(host.name, host.admin)), host.after(*before))
    host.enforced["sshd"] = sshd.settings.apply(lambda text: text.splitlines())
    host.add("sshd", sshd)


def _only_port_22(connection: HostAccess | Mapping[str, Input[Any]]) -> bool:
    """Return whether no login is known to use another port."""
    return isinstance(connection, HostAccess) and all(login.port == 22 for _, login in connection.logins())


SSHD = RegisteredChapter(declare)

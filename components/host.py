"""`HardenedHost`: the chapters of the guide on one host, in an order in which every state on the way is safe."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pulumi import ComponentResource, Input, Output, Resource, ResourceOptions

from components.fail2ban import Fail2BanJails
from components.firewall import Firewall
from components.hardening import Hardening
from components.inventory import connection_props
from components.packages import Packages
from components.sshd import Sshd
from components.updates import UnattendedUpgrades
from components.users import LimitedUser
from hosts.connection import HostAccess


class HardenedHost(ComponentResource):
    """One host, hardened.

    Args:
        name: the host's name in the stack config.
        connection: how to reach it; a `HostAccess`, or a mapping of the same names whose values may be Outputs of a
            machine that this program creates.
        wanted: the settings of each chapter; the guide's web server firewall alone by default.
        existing: `adopt` settings that are there already (delete puts them back) or `fail` when there are any.
        opts: resource options; `retain_on_delete` leaves the host hardened when it is deleted from the stack.

    The order: what is installed and removed, in one transaction; the users, so that somebody can get in; the firewall;
    then who may log in (proved first over a new connection); last what watches over it. `destroy` goes the way back.

    Outputs: `enforced`: what is in force, by chapter.
    """

    enforced: Output[dict[str, Any]]

    def __init__(
        self,
        name: str,
        connection: HostAccess | Mapping[str, Input[Any]],
        wanted: Hardening | None = None,
        *,
        existing: Literal["adopt", "fail"] = "adopt",
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("stockade:index:HardenedHost", name, {}, opts)
        self._name, self._retain = name, opts.retain_on_delete if opts else None
        self._way = connection_props(connection) if isinstance(connection, HostAccess) else connection
        self._existing = existing
        admin = connection.admin.user if isinstance(connection, HostAccess) and connection.admin else ""
        self.enforced = Output.from_input(self._harden(wanted or Hardening(), admin))
        self.register_outputs({"enforced": self.enforced})

    def _harden(self, wanted: Hardening, admin: str) -> dict[str, Input[Any]]:
        name, common = self._name, {"host": self._name, "connection": self._way}
        told: dict[str, Input[Any]] = {}
        present, absent = wanted.present(), wanted.packages.absent
        takes_over = bool(wanted.firewall and wanted.firewall.take_over)
        names = {"present": present, "absent": absent, "takeOver": takes_over}
        packages = Packages(name, {**common, **names}, self._after())
        told["packages"] = f"{len(present)} installed, {len(absent)} removed"
        users = [
            LimitedUser(
                f"{name}-{user.name}", {**common, "existing": self._existing, **user.props()}, self._after(packages)
            )
            for user in wanted.users
        ]
        told["users"] = [
            f"{user.name}: sudo {user.sudo}, {len(user.keys) + len(user.key_files)} keys" for user in wanted.users
        ]
        before: list[Resource] = [packages, *users]
        if wanted.firewall:
            firewall = Firewall(
                name,
                name,
                wanted.firewall,
                connection=self._way,
                existing=self._existing,
                packages=packages,
                opts=self._after(*before),
            )
            told["firewall"] = firewall.enforced
            before.append(firewall)
        if wanted.sshd:
            props = {**common, "existing": self._existing, **wanted.sshd.props(name, admin)}
            sshd = Sshd(name, props, self._after(*before))
            told["sshd"] = sshd.settings.apply(lambda text: text.splitlines())
            before.append(sshd)
        if wanted.fail2ban:
            props = {**common, "existing": self._existing, **wanted.fail2ban.props()}
            jails = Fail2BanJails(name, props, self._after(*before))
            told["fail2ban"] = jails.config.apply(lambda text: text.split("\n")[0])
        if wanted.updates:
            props = {**common, "existing": self._existing, **wanted.updates.props()}
            updates = UnattendedUpgrades(name, props, self._after(packages))
            told["updates"] = updates.enabled.apply(lambda on: "daily" if on else "off")
        return told

    def _after(self, *resources: Resource) -> ResourceOptions:
        depends: Sequence[Resource] = resources
        return ResourceOptions(parent=self, depends_on=list(depends), retain_on_delete=self._retain)

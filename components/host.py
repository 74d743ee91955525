"""`HardenedHost`: the chapters of the guide on one host, in an order in which every state on the way is safe."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pulumi import ComponentResource, Input, Output, Resource, ResourceOptions, RunError, get_stack, log
from pydantic import ValidationError

from components.config.host_settings import Hardening
from components.config.inventory import connection_props, stack_inventory
from components.core.judged import demand
from components.core.positions import without_places
from components.core.waiting import waiting
from components.fail2ban.resource import Fail2BanJails
from components.fail2ban.settings import PACKAGES as FAIL2BAN_PACKAGES
from components.firewall.firewall import Firewall, FirewallSettings
from components.gai.chapter import AddressPreference
from components.listeners.chapter import Listeners
from components.packages.chapter import Packages
from components.sshd.chapter import Sshd
from components.timesync.chapter import TimeSyncService
from components.updates.automatic import PACKAGES as UPDATE_PACKAGES
from components.updates.automatic import UnattendedUpgrades
from components.updates.system import SystemUpgrade
from components.users.chapter import PACKAGES as USER_PACKAGES
from components.users.chapter import LimitedUser
from hosts.ssh.connection import HostAccess


class HardenedHost(ComponentResource):
    """One host, hardened.

    Args:
        name: the host's name, in the stack config where it stands there.
        connection: how to reach it; a `HostAccess`, or a mapping of the same names whose values may be Outputs of a
            machine that this program creates. Default: as the stack config's `hosts` says when a command runs, which
            goes before anything given here, too.
        wanted: the settings of each chapter; one that is not among them is left out. Default: the firewall alone, the
            guide's for a web server; the other chapters need to be told something, or change who may log in.
        keys: public keys for every user, beside the user's own (`KeyPair.public_key`).
        existing: `adopt` settings that are there already (delete puts them back) or `fail` when there are any.
        opts: resource options; `retain_on_delete` leaves the host hardened when it is deleted from the stack. What is
            in `depends_on` (a key pair, a machine) is there before anything is done on the host.

    The order: what is installed and removed, in one transaction; the users, so that somebody can get in; then side by
    side the firewall, who may log in (each proved over new connections by a user's login, or it goes back) and what
    watches over it. Where sshd may move to another port, the firewall comes before. `destroy` goes the way back.

    Outputs: `enforced`: what is in force, by chapter.
    """

    enforced: Output[dict[str, Any]]

    def __init__(
        self,
        name: str,
        connection: HostAccess | Mapping[str, Input[Any]] | None = None,
        wanted: Hardening | None = None,
        *,
        keys: Sequence[Input[str]] = (),
        existing: Literal["adopt", "fail", "takeOver"] = "adopt",
        opts: ResourceOptions | None = None,
    ) -> None:
        demand(get_stack())
        with without_places():
            opts, self._before = waiting(opts)
            super().__init__("stockade:index:HardenedHost", name, {}, opts)
            self._name, self._retain = name, opts.retain_on_delete if opts else None
            self._connection = connection = _known_way(name, connection)
            self._admin = _admin_of(connection)
            self._way = _given_way(name, connection)
            self._common: dict[str, Any] = {"host": name}
            if self._way is not None:
                self._common["connection"] = self._way
            self._existing: dict[str, Any] = {"existing": existing}
            self._wanted = Hardening(firewall=FirewallSettings()) if wanted is None else wanted
            self._told: dict[str, Input[Any]] = {}
            packages = self._packages()
            users = self._users(packages, tuple(keys))
            firewall = self._firewall(packages, [*users])
            sshd = self._sshd([packages, *users], firewall)
            self._watch(packages, [*users], [*firewall, *sshd])
            if self._wanted.is_empty:
                log.warn(f"{name}: no chapter is declared for it, so nothing is hardened", self)
            self.enforced = self._all_told()
            self.register_outputs({"enforced": self.enforced})

    def _all_told(self) -> Output[dict[str, Any]]:
        """All that is told of the host; what is known already is no Output, each of which takes the SDK its time."""
        told = self._told
        late = {name: value for name, value in told.items() if isinstance(value, Output)}
        return Output.from_input(late).apply(lambda values: {**told, **values})

    def _packages(self) -> Packages:
        present, absent = self._wanted.present(), self._wanted.absent()
        takes_over = bool(self._wanted.firewall and self._wanted.firewall.take_over)
        names = {"present": present, "absent": absent, "unstarted": self._wanted.unstarted(), "takeOver": takes_over}
        opts = ResourceOptions(parent=self, depends_on=self._before, retain_on_delete=self._retain)
        packages = Packages(self._name, {**self._common, **names}, opts)
        self._told["packages"] = packages.observed.apply(_came_and_went)
        return packages

    def _users(self, packages: Packages, keys: tuple[Input[str], ...]) -> list[LimitedUser]:
        """The admin's own account is made first and goes last: the others' are made and removed through it."""
        users: list[LimitedUser] = []
        declared = sorted(self._wanted.users, key=lambda user: user.name != self._admin)
        configured = packages.came_back(*USER_PACKAGES) if declared else None
        for user in declared:
            props = {**self._common, **self._existing, **user.props(keys), "triggers": configured}
            users.append(LimitedUser(f"{self._name}-{user.name}", props, self._after(packages, *users[:1])))
        # told when they are there, not because they are declared
        self._told["users"] = Output.all(*(user.sudo for user in users)).apply(
            lambda rights: [f"{user.name}: sudo {right}" for user, right in zip(declared, rights, strict=True)]
        )
        return users

    def _firewall(self, packages: Packages, users: list[Resource]) -> list[Resource]:
        settings = self._wanted.firewall
        if settings is None:
            return []
        opts = self._after(packages, *users)
        ports = self._wanted.sshd.ports if self._wanted.sshd else ()
        firewall = Firewall(
            self._name,
            self._name,
            settings,
            connection=self._way,
            packages=packages,
            ssh_ports=ports,
            opts=opts,
            **self._existing,
        )
        self._told["firewall"] = firewall.enforced
        if not settings.uses_ipv6:
            AddressPreference(self._name, {**self._common, **self._existing}, opts)
        return [firewall]

    def _sshd(self, before: list[Resource], firewall: list[Resource]) -> list[Resource]:
        if self._wanted.sshd is None:
            return []
        if self._wanted.sshd.declares_ports or not _only_port_22(self._connection):
            before = [*before, *firewall]  # sshd may move, and the firewall must accept where it goes
        props = {**self._common, **self._existing, **self._wanted.sshd.props(self._name, self._admin)}
        sshd = Sshd(self._name, props, self._after(*before))
        self._told["sshd"] = sshd.settings.apply(lambda text: text.splitlines())
        return [sshd]

    def _watch(self, packages: Packages, users: list[Resource], restricted: list[Resource]) -> None:
        """Add what watches over a hardened host, and what only looks.

        All of it comes after the users, so that `destroy` has none of it under way while it removes the account that it
        is logged in with.
        """
        entered: list[Resource] = [packages, *users]
        before = [*entered, *restricted]
        wanted = self._wanted
        if wanted.fail2ban:  # takes as long as firewall and sshd together, and shares only xtables' lock with them
            props = {**self._common, **self._existing, **wanted.fail2ban.props()}
            props["triggers"] = packages.came_back(*FAIL2BAN_PACKAGES)
            # but its unit is PartOf=firewalld.service: stopping that stops it, too
            stopping = restricted if wanted.firewall and wanted.firewall.take_over else []
            jails = Fail2BanJails(self._name, props, self._after(*entered, *stopping))
            self._told["fail2ban"] = jails.config.apply(lambda text: text.count("enabled = true"))
        if wanted.updates:
            props = {**self._common, **self._existing, **wanted.updates.props()}
            props["triggers"] = packages.came_back(*UPDATE_PACKAGES)
            updates = UnattendedUpgrades(self._name, props, self._after(*entered))
            self._told["updates"] = updates.enabled.apply(lambda on: "daily" if on else "off")
        if wanted.time_sync and wanted.time_sync.daemon != "keep":
            props = {**self._common, **self._existing, "daemon": wanted.time_sync.daemon}
            props["triggers"] = packages.came_back(wanted.time_sync.daemon)
            before = [*before, TimeSyncService(self._name, props, self._after(*entered))]
        if wanted.upgrade and wanted.upgrade.trigger is not None:
            upgrade = SystemUpgrade(self._name, self._connection, wanted.upgrade, self._after(*before))
            self._told["upgrade"] = upgrade.reboot_due.apply(lambda due: "reboot due" if due else "no reboot due")
        if wanted.listeners:
            changed = packages.observed.apply(_packages_now)
            props = {**self._common, **wanted.listeners.props(), "triggers": changed}
            looked = Listeners(self._name, props, self._after(*before))
            self._told["listeners"] = looked.observed.apply(_listening)

    def _after(self, *resources: Resource) -> ResourceOptions:
        return ResourceOptions(parent=self, depends_on=list(resources), retain_on_delete=self._retain)


def _known_way(name: str, given: HostAccess | Mapping[str, Input[Any]] | None) -> HostAccess | Mapping[str, Input[Any]]:
    """Return how the program knows the host to be reached. Raises `RunError` where nothing says so."""
    if isinstance(given, HostAccess | Output):
        return given
    if given is not None:
        _refuse_wrong(name, given)
        return given
    way = stack_inventory().get(name)
    if way is None:
        raise RunError(
            f'HardenedHost("{name}"): no `connection` is given, and the stack config has no host of this name under '
            "`hosts`"
        )
    return way


def _refuse_wrong(name: str, given: Mapping[str, Input[Any]]) -> None:
    """Tell now what is wrong with a way that is known as a whole. Raises `RunError`, which names no value."""
    if _holds_outputs(given):
        return
    try:
        HostAccess.model_validate({"name": name, **given})
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        places = (f"{'.'.join(('connection', *map(str, one['loc'])))}: {one['msg']}" for one in found)
        raise RunError("\n  ".join((f'HardenedHost("{name}"):', *places))) from None


def _holds_outputs(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_outputs(item) for item in value.values())
    return isinstance(value, Output)


def _given_way(name: str, connection: HostAccess | Mapping[str, Input[Any]]) -> Mapping[str, Input[Any]] | None:
    """Return the way as an input of the host's resources; None where they read it from the stack config."""
    if not isinstance(connection, HostAccess):
        return connection
    return None if name in stack_inventory() else connection_props(connection)


def _admin_of(connection: HostAccess | Mapping[str, Input[Any]]) -> str:
    """Return the admin's login name, as far as it is known yet."""
    if isinstance(connection, HostAccess):
        return connection.admin.user if connection.admin else ""
    admin = connection.get("admin") if isinstance(connection, Mapping) else None
    user = admin.get("user", "") if isinstance(admin, Mapping) else ""
    return user if isinstance(user, str) else ""


def _only_port_22(connection: HostAccess | Mapping[str, Input[Any]]) -> bool:
    """Tell whether no login uses another port, as far as is known yet."""
    return isinstance(connection, HostAccess) and all(login.port == 22 for _, login in connection.logins())


def _came_and_went(observed: Mapping[str, Any] | None) -> dict[str, list[str]] | None:
    """Say what was installed because it is declared, and what really went."""
    if not observed:
        return None
    return {"installed": observed["ours"], "removed": [entry.partition("=")[0] for entry in observed["removed"]]}


def _listening(observed: Mapping[str, Any] | None) -> list[str] | None:
    """Say what listens, the loopback last."""
    return [*observed["listening"], *observed["loopback"]] if observed else None


def _packages_now(observed: Mapping[str, Any] | None) -> list[str]:
    """Say what of the declared packages is there and what was removed: with another answer, others may listen."""
    seen = observed or {}
    there = (f"{name} {version}" for name, version in seen.get("installed", {}).items())
    gone = (f"no {entry.partition('=')[0]}" for entry in seen.get("removed", ()))
    return sorted({*there, *gone})

"""`HardenedHost`: the chapters of the guide on one host, in an order in which every intermediate state is safe."""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import ComponentResource, Input, Output, ResourceOptions, RunError, get_stack, log
from pydantic import ValidationError

from components.config.inventory import connection_props, stack_inventory
from components.core.chapter import Existing
from components.core.composition import Composition
from components.core.judged import demand
from components.core.positions import without_places
from components.core.served import is_packaged
from components.core.waiting import passed_on, waiting
from components.firewall.settings import FirewallSettings
from components.packages.hardened import declare_packages
from components.registry import Hardening
from hosts.ssh.connection import HostAccess


class HardenedHost(ComponentResource):
    """One host, hardened.

    Args:
        name: the host's name, as in the stack config if it is listed there.
        connection: how to reach it; a `HostAccess`, or a mapping of the same names whose values may be Outputs of a
            machine that this program creates. Default: the stack config's `hosts` at run time, which always takes
            precedence.
        wanted: the settings of each chapter; chapters not listed are left out. Default: only the firewall, with the
            guide's rules for a web server; the other chapters need settings, or change who may log in.
        keys: public keys for every user, besides the user's own (`KeyPair.public_key`).
        existing: `adopt` existing settings (delete restores them), or `fail` if there are any; `asIs`: adopt them,
            and write nothing where they are as declared already.
        opts: resource options; `retain_on_delete` leaves the host hardened when it is deleted from the stack, and
            `custom_timeouts` are those of every resource of the host. Resources in `depends_on` (a key pair, a machine)
            exist before anything is done on the host.

    The order: first packages are installed and removed, in one transaction. Then the users are created, so that
    somebody can log in. Then, in parallel, the firewall, the login settings (each proved over new connections by a
    user's login, or rolled back) and the monitoring chapters. If sshd may move to another port, the firewall comes
    before it. `destroy` goes in reverse order.

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
        existing: Existing = "adopt",
        opts: ResourceOptions | None = None,
    ) -> None:
        if not is_packaged():  # the pack of this repository checks what its programs declare
            demand(get_stack())
        with without_places():
            opts, before = waiting(opts)
            super().__init__("stockade:index:HardenedHost", name, {}, opts)
            wanted = Hardening(firewall=FirewallSettings()) if wanted is None else wanted
            connection = _known_way(name, connection)
            host = Composition(
                name,
                self,
                wanted,
                connection,
                given=_given_way(name, connection),
                admin=_admin_of(connection),
                keys=tuple(keys),
                existing=existing,
                before=before,
                options=passed_on(opts),
            )
            host.enforced["users"] = []  # it has outputs, whether or not users are declared
            declare_packages(host, wanted.needs())
            for chapter, settings in wanted.chapters().values():
                chapter.declare(host, settings)
            if wanted.is_empty:
                log.warn(f"{name}: no chapter is declared for it, so nothing is hardened", self)
            self.enforced = host.all_enforced()
            self.register_outputs({"enforced": self.enforced})


def _known_way(name: str, given: HostAccess | Mapping[str, Input[Any]] | None) -> HostAccess | Mapping[str, Input[Any]]:
    """Return how the host is reached, as the program knows it. Raises `RunError` if nothing says so."""
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
    """Report errors in access data that are known completely. Raises `RunError`, which quotes no value."""
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
    """Return the access data as an input of the host's resources; None if they read it from the stack config."""
    if not isinstance(connection, HostAccess):
        return connection
    return None if name in stack_inventory() else connection_props(connection)


def _admin_of(connection: HostAccess | Mapping[str, Input[Any]]) -> str:
    """Return the admin's login name, if known yet."""
    if isinstance(connection, HostAccess):
        return connection.admin.user if connection.admin else ""
    admin = connection.get("admin") if isinstance(connection, Mapping) else None
    user = admin.get("user", "") if isinstance(admin, Mapping) else ""
    return user if isinstance(user, str) else ""

"""How to reach a host: by the stack config, by earlier configs, or by host key if its name is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi.output import Unknown

from components.config.former import Former, distinct
from components.config.identity import other_key, trusted_keys
from components.config.inventory import Inventory, way_to
from components.core import console, stored
from components.core.stored import has_unknown
from components.failure import Failure
from hosts.errors import HostError
from hosts.guard.record import Machine

if TYPE_CHECKING:
    from hosts.host import Host
    from hosts.ssh.connection import HostAccess

_Given = Mapping[str, Any] | None
"""A connection that the program gave to a resource."""


@dataclass(frozen=True)
class Ways:
    """Everything known about reaching hosts.

    Attributes:
        config: the hosts of the stack config, with current credentials.
        former: those of earlier stack configs.
    """

    config: Inventory
    former: Former

    def to(self, name: str, connection: _Given) -> HostAccess | None:
        """Return how to reach a host: by the config, and if that is refused, by earlier ones."""
        way = way_to(name, self.config, connection)
        return self.former.since(way, trusted_keys(way)) if way is not None else None

    def since(self, name: str, connection: _Given, before: _Given) -> HostAccess | None:
        """Return the same for a change, including the connection that the state knows to have been valid before."""
        way = self.to(name, connection)
        if way is None or before is None or before == connection:
            return way
        return way.since(way_to(name, {}, before))

    def host(self, name: str, connection: _Given) -> Host:
        """Return a declared host. Raises `Failure` if nothing says how to connect."""
        return connected(name, self.to(name, connection))

    def host_of(self, name: str, connection: _Given, machine: Machine) -> Host:
        """Return a state's host: by name; by host key if the config lacks the name or gives it to another machine; or
        by earlier configs.

        Raises `Failure` if nothing says how to connect.
        """
        way = self.to(name, connection)
        if way is not None and not other_key(machine, way):
            return connected(name, way)
        now = self.config.by_key(name, machine.keys) or way
        ways = [now] if now is not None else []
        if now is not way or way is None:
            ways += self.former.places(name, machine.keys)
        return _first_of(name, [self.former.since(one, machine.keys) for one in distinct(ways)])

    def hosts_called(self, name: str, connection: _Given) -> list[Host]:
        """Return every machine that has or had this name, that of the newest config first.

        Raises `Failure` if nothing says how to connect to any.
        """
        way = self.to(name, connection)
        places = ([way] if way is not None else []) + self.former.places(name, ())
        ways = [self.config.by_key(name, trusted_keys(one)) or one for one in places]
        if not ways:
            connected(name, None)
        return [connected(name, self.former.since(one, trusted_keys(one))) for one in distinct(ways)]

    def elsewhere(self, olds: Mapping[str, Any], news: Mapping[str, Any]) -> str:
        """Return the host key that the config names for a host if it belongs to another machine than the state's, or a
        description if that machine does not exist yet; "" if it is the same machine, as far as is known."""
        machine = stored.machine_of(olds)
        host, connection = news.get("host"), news.get("connection")
        if not machine.keys or isinstance(host, Unknown):
            return ""
        if host not in self.config and _unknown_machine(connection):
            return "a machine that does not exist yet"
        known = host in self.config or not has_unknown(connection)
        access = way_to(str(host), self.config, connection) if known else None
        return other_key(machine, access) if access is not None else ""


def connected(name: str, access: HostAccess | None) -> Host:
    """Return a host by its access data. Raises `Failure` if there is none."""
    if access is None:
        raise Failure(
            f"{name}: how to connect is unknown: neither the stack config nor a known earlier one has this host. To "
            "undo what was done to it, put its entry back under `hosts`, run `up` or `destroy`, then remove the entry"
        )
    from hosts.pool import connection_pool  # importing the SSH client takes 0.2 s, and the program never needs it

    return connection_pool().host(access)


def say_outdated(host: Host) -> None:
    """Warn, once per host, if the run logged in with what the previous run's config had."""
    if host.outdated and host.name not in _OUTDATED:
        _OUTDATED.add(host.name)
        console.warn(
            f"{host.name}: the host refused {host.outdated} of the stack config; this run uses an earlier one. Correct "
            "the config, or change it on the host"
        )


_OUTDATED: set[str] = set()


def _first_of(name: str, ways: Sequence[HostAccess]) -> Host:
    """Return a host by the first of several ways that reaches it; by the first one if none does."""
    for way in ways if len(ways) > 1 else ():
        host = connected(name, way)
        with suppress(HostError):
            host.connect()
            return host
    return connected(name, ways[0] if ways else None)


def _unknown_machine(connection: Any) -> bool:
    """Return whether a connection leads to a machine whose key and address are both still unknown."""
    if isinstance(connection, Unknown):
        return True
    if not isinstance(connection, Mapping):
        return False
    logins = (connection.get("admin"), connection.get("bootstrap"))
    return any(
        isinstance(login, Unknown)
        or (isinstance(login, Mapping) and any(isinstance(login.get(name), Unknown) for name in ("hostKey", "host")))
        for login in logins
    )

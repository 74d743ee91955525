"""Which machine a host is: told by its SSH host keys, without asking it."""

from typing import TYPE_CHECKING

from hosts.guard.record import Machine, fingerprint

if TYPE_CHECKING:
    from hosts.ssh.connection import Connection, HostAccess


def trusted_keys(access: "HostAccess") -> frozenset[str]:
    """Return the fingerprints of the host keys that are accepted from a host: the pinned one, or those of known_hosts.

    Raises `HostError` for a known_hosts file that the config names and that cannot be read.
    """
    return frozenset(key for _, connection in access.logins() for key in _keys(connection))


def _keys(connection: "Connection") -> tuple[str, ...]:
    if connection.host_key is not None:
        return (fingerprint(connection.host_key),)
    from hosts.ssh.hostkeys import key_line, trust_of  # the SSH client takes 0.2 s to import

    return tuple(fingerprint(key_line(key)) for key in trust_of(connection).keys)


def other_key(machine: Machine, access: "HostAccess") -> str:
    """Return a host key that is accepted from a host where it is none of `machine`; "" where it may be the same."""
    if not machine.keys:
        return ""
    trusted = trusted_keys(access)
    return "" if trusted & set(machine.keys) else min(trusted, default="")


def known_by(machine: Machine, access: "HostAccess") -> Machine:
    """Return `machine` with the host keys by which it was let in: those of its files may not be what sshd shows."""
    return Machine(machine.id, tuple(sorted({*machine.keys, *trusted_keys(access)})))

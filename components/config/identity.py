"""Identifies a host's machine by its SSH host keys, without connecting to it."""

from typing import TYPE_CHECKING

from hosts.guard.record import Machine, fingerprint

if TYPE_CHECKING:
    from hosts.ssh.connection import Connection, HostAccess


def trusted_keys(access: "HostAccess") -> frozenset[str]:
    """Return the fingerprints of the host keys accepted from a host: the pinned one, or those in known_hosts.

    Raises `HostError` if the known_hosts file named in the config cannot be read.
    """
    return frozenset(key for _, connection in access.logins() for key in _keys(connection))


def _keys(connection: "Connection") -> tuple[str, ...]:
    if connection.host_key is not None:
        return (fingerprint(connection.host_key),)
    from hosts.ssh.hostkeys import key_line, trust_of  # importing the SSH client takes 0.2 s

    return tuple(fingerprint(key_line(key)) for key in trust_of(connection).keys)


def other_key(machine: Machine, access: "HostAccess") -> str:
    """Return an accepted host key that does not belong to `machine`; "" if it may be the same machine."""
    if not machine.keys:
        return ""
    trusted = trusted_keys(access)
    return "" if trusted & set(machine.keys) else min(trusted, default="")


def known_by(machine: Machine, access: "HostAccess") -> Machine:
    """Return `machine` with the host keys accepted at login: sshd may use other keys than those in its key files."""
    return Machine(machine.id, tuple(sorted({*machine.keys, *trusted_keys(access)})))

"""Logs in to a host that no config knows yet: its host key is shown and pinned, and a way to become root is found."""

from collections.abc import Callable
from dataclasses import dataclass

from adopt.target import Target
from components.failure import Failure
from hosts.errors import HostKeyUnknown, SudoPasswordRefused, SudoRefused
from hosts.host import Host
from hosts.pool import connection_pool
from hosts.ssh.connection import Connection, HostAccess
from hosts.ssh.hostkeys import Trust, trust_of
from hosts.waiting import at_most

SUDO_PASSWORD = "STOCKADE_SUDO_PASSWORD"  # noqa: S105
"""The environment variable with the sudo password of the logins, where nobody can be asked."""
_NOWHERE = "/dev/null"
_PATIENCE = 10.0
"""Seconds to wait for a host that does not answer: it exists already, so it is not booting."""

_ROOTED = 40.0
"""Seconds for becoming root: sudo may ask a directory service first."""


@dataclass(frozen=True)
class HostKey:
    """The key that a host presented. `known`: the file that lists it; "" if none does."""

    line: str
    fingerprint: str
    known: str = ""


Confirm = Callable[[Target, HostKey], bool]
"""Asks whether a key that no file lists is the host's."""
AskPassword = Callable[[Target], str]
"""Asks for the sudo password of a login; "" gives up."""


def shown_key(target: Target) -> HostKey:
    """Return the key of a host, without logging in. Raises any HostError."""
    login = target.login
    blind = login.model_copy(update={"host_key": None, "known_hosts_file": _NOWHERE})
    try:
        with at_most(2 * _PATIENCE):
            _host(target.words, blind).connect()
    except HostKeyUnknown as error:
        if not error.key_line:
            raise
        known = trust_of(login)
        lists = any(
            " ".join(key.export_public_key("openssh").decode().split()[:2]) == error.key_line for key in known.keys
        )
        return HostKey(error.key_line, error.fingerprint, known.source if lists else "")
    raise Failure(f"{login.address}: its host key could not be read")


def _only(known: Trust) -> HostKey | None:
    """Return the key of a host that has just proved to have it; None if it may have another one of those listed."""
    if known.borrowed or len(known.keys) != 1:
        return None
    [key] = known.keys
    line = " ".join(key.export_public_key("openssh").decode().split()[:2])
    return HostKey(line, key.get_fingerprint(), known.source)


def entered(target: Target, confirm: Confirm, ask_password: AskPassword) -> tuple[Host, HostKey]:
    """Return a host that was logged in to, as root or by sudo, and its key, which it is pinned to.

    Raises Failure if the key is not confirmed, and any HostError.
    """
    known = trust_of(target.login)
    if known.keys and not known.borrowed:  # a connection without a login may count as a failure for fail2ban
        with at_most(2 * _PATIENCE):
            _host(target.words, target.login).connect()
    key = _only(known) or shown_key(target)
    if not key.known and not confirm(target, key):
        raise Failure(f"{target.words}: its host key was not confirmed: {key.fingerprint}")
    login = target.login.model_copy(update={"host_key": key.line})
    host = _host(target.words, login)
    with at_most(2 * _PATIENCE):
        host.connect()
    if login.user != "root":
        host = _with_sudo(target, host, login, ask_password)
    return host, key


def _with_sudo(target: Target, host: Host, login: Connection, ask_password: AskPassword) -> Host:
    try:
        with at_most(_ROOTED):
            host.entered()
    except SudoPasswordRefused:
        raise
    except SudoRefused as error:
        password = ask_password(target)
        if not password:
            error.hint = f"{error.hint} For `adopt`: in the variable {SUDO_PASSWORD}, or typed in a terminal.".strip()
            raise
        host = _host(target.words, Connection.model_validate({**login.model_dump(), "sudo_password": password}))
        with at_most(_ROOTED):
            host.entered()
    return host


def _host(name: str, login: Connection) -> Host:
    role = "bootstrap" if login.user == "root" else "admin"
    return connection_pool().host(HostAccess.model_validate({"name": name, role: login, "connect_timeout": _PATIENCE}))

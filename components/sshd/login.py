"""The admin's login, proved over new connections before and after sshd's settings change."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.failure import Failure
from components.sshd import effective
from hosts.errors import HostError
from hosts.scripts import script
from hosts.shell import Script
from hosts.ssh.connection import Connection

if TYPE_CHECKING:
    from hosts.host import Host

CONFIRM_TIMEOUT = 15.0
"""Seconds for a login, including retries."""


@dataclass(frozen=True)
class Entrance:
    """The login that later runs use first: the admin's, or the only one there is."""

    host: "Host"
    sole: "Host"
    """The same host with only that login, and without a password if passwords are no longer accepted."""
    settings: str
    current: Connection
    """The login of this run."""
    address: str
    """The address from which the host sees us connect."""
    port: int
    """The host's port that this run connected to."""
    groups: tuple[str, ...]
    """Groups of the admin."""

    @property
    def connection(self) -> Connection:
        """How the admin logs in."""
        return self.sole.access.logins()[0][1]

    @property
    def moves(self) -> bool:
        """Whether the declared ports exclude the one that this run connected to."""
        declared = effective.ports(self.settings)
        return bool(declared) and self.port not in declared

    @property
    def behind_nat(self) -> bool:
        """Whether the port that we connect to is another one on the host."""
        return self.current.port != self.port

    def check(self) -> None:
        """Prove that the admin can log in now, as the settings will require. Raises Failure; nothing has been
        changed."""
        user = self.connection.user
        unchanged = f"{self.host.name}: sshd: nothing was changed:"
        if user == "root" and effective.value(self.settings, "permitrootlogin") == "no":
            raise Failure(
                f"{unchanged} PermitRootLogin no would lock out this run, which logs in as root. "
                "Give the host an `admin` login in the stack config: a user with a key and sudo."
            )
        if reason := effective.shuts_out(self.settings, user, self.groups, self.address):
            raise Failure(f"{unchanged} the admin would be locked out: {reason}")
        declared = effective.ports(self.settings)
        if declared and self.connection.port not in declared and not self.behind_nat:
            raise Failure(
                f"{unchanged} sshd would listen on {', '.join(map(str, declared))}, but the login in the stack config "
                f"uses port {self.connection.port}. Set `admin: {{port: {declared[0]}}}`, and "
                f"`bootstrap: {{port: {self.connection.port}}}` for `destroy`."
            )
        if self.host.first_login_proved and self.host.access.logins()[0][1] == self.connection and not self.moves:
            return  # this very login was just used
        try:
            self.sole.confirm(address=self.current.host, port=self.current.port, timeout=CONFIRM_TIMEOUT)
        except HostError as error:
            how = "a key" if self._key_only else "its credentials"
            raise Failure(
                f"{unchanged} before logins are restricted, {user} must be able to log in with {how} and to use sudo, "
                f"and it cannot. Tried a new connection to {self.connection.address}: {error}"
            ) from error

    @property
    def _key_only(self) -> bool:
        return effective.value(self.settings, "passwordauthentication") != "yes"


def sole_login(host: "Host", settings: str) -> "Host":
    """Return the host with only the login that later runs use first, restricted as `settings` require."""
    from hosts.pool import connection_pool  # importing the SSH client takes 0.2 s, and the program never needs it

    login, connection = host.access.logins()[0]
    if effective.value(settings, "passwordauthentication") != "yes":
        connection = connection.model_copy(update={"password": None})
    return connection_pool().host(host.access.only(login).model_copy(update={login: connection}))


def entrance(host: "Host", settings: str, admin: str) -> Entrance:
    """Return how this run logged in, and the login to prove. Raises any HostError."""
    current = host.entered()
    user = {"user": admin or host.access.logins()[0][1].user}
    [look] = host.run(Script("look at the login", script("components/sshd/login.sh"), user), resource="sshd")
    address, port, groups = [*look.stdout.split("\n"), "", "", ""][:3]
    return Entrance(
        host=host,
        sole=sole_login(host, settings),
        settings=settings,
        current=current,
        address=address.partition("%")[0],
        port=int(port) if port.isdecimal() else current.port,
        groups=tuple(groups.split()),
    )

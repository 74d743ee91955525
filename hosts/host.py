"""A host as the rest of the program sees it: synchronous, thread-safe, with one shared connection."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from hosts.errors import HostError, Unreachable, Useless, understanding
from hosts.guard.guarded import RunIdentity
from hosts.guard.proofs import Proofs
from hosts.guard.record import Ledger
from hosts.shell import Answer, Script
from hosts.ssh.coalesced import Reads
from hosts.ssh.connection import FORMER, Connection, HostAccess
from hosts.ssh.session import HostSession
from hosts.waiting import CONFIRMATION, timed, waiting

_FACTS = Script(
    "look at the host",
    """\
begin uid; id -u; end
begin user; id -un; end
begin os-release; cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release 2>/dev/null || :; end
begin init; cat /proc/1/comm 2>/dev/null || :; end
""",
    timeout=30,
    as_root=False,
)
_PROBE = 5.0
"""Seconds for a login to a host whose open connection works."""
_ROOT_CHECK = Script("become root", "id -u", timeout=30)


@dataclass(frozen=True)
class Facts:
    """What does not change during a connection."""

    uid: int
    """Uid of the login user."""
    user: str
    os_release: str
    """The text of /etc/os-release."""
    init: str
    """Name of process 1: "systemd", "init"."""


@dataclass
class RecordCopy:
    """The host's own record (`hosts/guard/record.py`), once it has been read."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    found: Ledger | None = None
    settled: bool = False
    """Whether this process has rolled back dead runs' changes, or has learned that another run is alive."""


class Host:
    """Created by `Pool.host`. All methods may be called from any thread except the pool's own loop."""

    def __init__(
        self,
        access: HostAccess,
        session: HostSession,
        call: "Callable[[Coroutine[Any, Any, Any]], Any]",
        identity: RunIdentity,
    ) -> None:
        self.access = access
        self.identity = identity
        self.proofs = Proofs()
        self.ledger = RecordCopy()
        self._session = session
        self._reads = Reads(session)
        self._call = call
        self._facts: tuple[object, Facts] | None = None
        self.first_login_proved = False
        """Whether the login that later runs use first has worked in this process over each of its own addresses."""

    def __repr__(self) -> str:
        return f"Host({self.name!r})"

    @property
    def name(self) -> str:
        """The name in the config."""
        return self.access.name

    @property
    def login(self) -> str:
        """ "admin" or "bootstrap": the login in use; "" without a connection."""
        way = self._session.sequence.way
        return way.login.partition(FORMER)[0] if way is not None else ""

    @property
    def user(self) -> str:
        """The user logged in as; "" without a connection."""
        way = self._session.sequence.way
        return way.line.connection.user if way is not None else ""

    @property
    def handshakes(self) -> int:
        """The number of connections that this object opened to the host."""
        return self._session.sequence.handshakes

    @property
    def runs(self) -> int:
        """The number of runs on it."""
        return self._session.runs

    def connect(self) -> str:
        """Connect now rather than at the first run. Returns the login that worked: "admin" or "bootstrap".

        Raises Unreachable, LoginRefused, HostKeyUnknown, HostKeyChanged, BadCredentials.
        """
        way = self._call(self._session.sequence.connected())
        return str(way.login)

    def entered(self) -> Connection:
        """Return the login used for runs on this host, with the port at which it worked. Raises any HostError."""
        if not self._session.runs:  # the first run reveals a login that cannot become root
            self.run(_ROOT_CHECK)
        way = self._call(self._session.sequence.connected())
        connection: Connection = way.line.connection
        return connection

    async def expect(self) -> None:
        """In the pool's loop: connect, but leave a failure to the first run."""
        with contextlib.suppress(HostError):
            await self._session.sequence.connected()

    def run(
        self,
        *scripts: Script,
        resource: str = "",
        timeout: float | None = None,
        check: bool = True,
        stop_on_failure: bool = True,
    ) -> list[Answer]:
        """Run scripts in this order in one round trip; return one answer for each.

        With `check`, a status that a script does not allow raises CommandFailed (its `answers` have the output of all
        scripts). Without it, the caller checks `Answer.status` (SKIPPED if `stop_on_failure` kept the script from
        running). `timeout` limits the whole run in seconds, in addition to each script's own limit. All scripts of a
        run have the same `as_root`. Raises any HostError.

            before, _, after = host.run(observe, apply, observe, resource="firewall ipv4")
        """
        if not scripts:
            return []
        if len({script.as_root for script in scripts}) > 1:
            raise ValueError("the scripts of one run must all be as_root, or none of them")
        work = self._session.run(scripts, resource, timeout=timeout, check=check, stop_on_failure=stop_on_failure)
        answers: list[Answer] = self._call(work)
        return answers

    def read(self, script: Script, resource: str = "") -> Answer:
        """Run one script that changes nothing, batched with other concurrent reads.

        A failing script does not affect the others. Raises any HostError.
        """
        answer: Answer = self._call(self._reads.read(script, resource))
        return answer

    def facts(self) -> Facts:
        """Return facts about the login and the host: one round trip per connection, then cached. Raises any
        HostError."""
        way = self._call(self._session.sequence.connected())
        if self._facts is None or self._facts[0] is not way:
            [answer] = self.run(_FACTS)
            sections = answer.sections
            with understanding(self.name, "", _FACTS.step):
                facts = Facts(
                    int(sections["uid"]), sections["user"].strip(), sections["os-release"], sections["init"].strip()
                )
            self._facts = (way, facts)
        return self._facts[1]

    def confirm(
        self, *, login: str = "", address: str | None = None, port: int | None = None, timeout: float = 20
    ) -> str:
        """Prove that a login works now: a new TCP connection, a login, and root through sudo. Then close it. Nothing
        cached is used.

        `login`: "admin" or "bootstrap"; by default admin, or bootstrap if there is no admin; "any": whichever works.
        `address` and `port` override the connection's. `timeout` is in seconds, including retries. Returns the user
        that logged in. Raises any HostError.
        """
        with waiting(CONFIRMATION), timed(None):
            user: str = self._call(self._confirm(self._ways(login, address, port, timeout), timeout))
        return user

    def confirm_everywhere(self, patience: float = 20, *, login: str = "", port: int | None = None) -> None:
        """`confirm` a login over every address of the host, all at once, within `patience` seconds (but at least one).
        By default this is the login that later runs use first if it was proved before, else the login in use, if there
        is one.

        Raises any HostError.
        """
        name, first = self.access.logins()[0]
        way = self._session.sequence.way
        if not login and not self.first_login_proved and way is not None:
            login, port = way.login, port or way.line.connection.port
        login, patience = login or name, max(patience, 1)
        ways = [self._ways(login, address, port, patience) for address in (None, *self.access.addresses)]
        with waiting(CONFIRMATION), timed(None):
            self._call(_all(*(self._confirm(way, patience) for way in ways)))
        self.first_login_proved |= login == name and port in (None, first.port)

    def lets_in(self) -> bool:
        """Return whether the host answers new connections."""
        try:
            self.confirm_everywhere(_PROBE, login="any")
        except Unreachable:
            return False
        except HostError:
            return True
        return True

    def quiet(self) -> None:
        """Wait until no connection has been tried for half a minute; then a host that limits them lets us in again."""
        with waiting(CONFIRMATION):
            self._call(self._session.sequence.quiet())

    def _ways(
        self, login: str, address: str | None, port: int | None, timeout: float
    ) -> tuple[tuple[str, Connection], ...]:
        """The connections that count as `login`, in the order in which they are tried."""
        logins = (*self.access.logins(), *self.access.former_logins())
        chosen = [pair for pair in logins if pair[0] == login] if login in dict(logins) else logins[:1]
        if login != "any":  # only declared credentials count as proof, not former ones
            chosen = [(name, connection.model_copy(update={"former": ()})) for name, connection in chosen]
        return tuple(
            (name, _moved(connection, address or connection.host, port or connection.port, timeout))
            for name, connection in (self.access.logins_in_order() if login == "any" else chosen)
        )

    async def _confirm(self, logins: tuple[tuple[str, Connection], ...], timeout: float) -> str:
        sequence = self._session.sequence
        way = await sequence.log_in_apart(logins, timeout)
        try:
            alone = HostSession(self.access, sequence.holding(way))
            await alone.run([_ROOT_CHECK], "confirm", timeout=timeout, check=True, stop_on_failure=True)
        except Useless:
            others = tuple(pair for pair in logins if pair[0] != way.login)
            if not others:
                raise
            return await self._confirm(others, timeout)
        finally:
            await way.line.close()
        return way.line.connection.user

    @property
    def outdated(self) -> str:
        """Which of the config's credentials the host refused, if former ones were used instead; "" if none."""
        way = self._session.sequence.way
        if way is not None and FORMER in way.login:
            return f"the credentials of the {way.login.partition(FORMER)[0]} login"
        return self._session.sudo.outdated

    def credentials_changed(self, user: str) -> None:
        """Note that credentials of this user changed on the host, so it may accept what it refused before."""
        self._call(self._forget(user))

    async def _forget(self, user: str) -> None:
        self._session.sudo.forget(user)

    def renew(self) -> None:
        """Switch from former credentials to those of the config, which have just been proved."""
        self._call(self._renew())

    async def _renew(self) -> None:
        self._session.sudo.outdated = ""
        self._session.sequence.renew()

    def close(self) -> None:
        """Disconnect; the next run connects again."""
        self._call(self._session.sequence.close())


async def _all(*works: Coroutine[Any, Any, Any]) -> None:
    """Run all concurrently to their ends. If one fails, cancel the others and raise its error."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


def _moved(connection: Connection, host: str, port: int, timeout: float) -> Connection:
    """The same login at another address, with the same known host key and at most `timeout` seconds to connect."""
    connection = connection.model_copy(update={"per_dial_timeout": min(connection.per_dial_timeout, timeout)})
    if (host, port) == connection.endpoint:
        return connection
    return connection.model_copy(update={"host": host, "port": port, "known_as": connection.names})

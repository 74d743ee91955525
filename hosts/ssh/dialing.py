"""One attempt to open one SSH connection, and what its failure means: retry, refused, or fatal."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncssh

from hosts.errors import NotSupported, Unreachable
from hosts.ssh.algorithms import OLDER, RSA_BY_SHA1, needs_sha1, offer
from hosts.ssh.connection import Connection
from hosts.ssh.credentials import Credentials, agent_keys, credentials_of
from hosts.ssh.hostkeys import Shown, Trust, refusal, trust_of
from hosts.waiting import DIALLING, HANDSHAKE, HANDSHAKE_SLOT, waiting

LOGIN_TIMEOUT = 30.0
"""Seconds from the open TCP connection to the end of authentication."""
KEEPALIVE_INTERVAL = 15
KEEPALIVE_COUNT = 3
_BOOTING = ("pam_nologin", "booting up", "going down")
_MOMENTARY = ("not allowed at this time", "maxstartups")


class Transient(Exception):  # noqa: N818  # names a kind, as in hosts.errors
    """The host may still be booting: worth another attempt. `refused`: it refuses connections to this port."""

    def __init__(self, cause: str, *, refused: bool = False) -> None:
        super().__init__(cause)
        self.refused = refused


class Refused(Exception):  # noqa: N818
    """The host refuses this user with these credentials."""


@dataclass(frozen=True)
class OpenConnection:
    """An open, authenticated connection."""

    connection: Connection
    ssh: asyncssh.SSHClientConnection

    @property
    def alive(self) -> bool:
        """False once it is known to be broken or closed."""
        # the transport goes away slightly before the connection counts as closed
        return not self.ssh.is_closed() and self.ssh.get_extra_info("socket") is not None

    async def close(self) -> None:
        """Disconnect; waits briefly for an orderly close."""
        self.ssh.close()
        try:
            await asyncio.wait_for(self.ssh.wait_closed(), 2)
        except (TimeoutError, OSError, asyncssh.Error):
            self.ssh.abort()


class _Client(asyncssh.SSHClient):
    """Remembers what the server showed, and offers the agent's keys after the given ones."""

    def __init__(self, shown: Shown, keys: Sequence[asyncssh.SSHKeyPair], connected: Callable[[], None]) -> None:
        self._shown, self._keys, self._connected = shown, list(keys), connected

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._conn = conn
        self._connected()

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self._shown.key = key
        self._shown.version = str(self._conn.get_extra_info("server_version", ""))
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return False

    def auth_banner_received(self, msg: str, lang: str) -> None:
        self._shown.banners.append(msg)

    def public_key_auth_requested(self) -> asyncssh.SSHKeyPair | None:
        self._shown.version = str(self._conn.get_extra_info("server_version", ""))
        return self._keys.pop(0) if self._keys else None

    def password_change_requested(self, prompt: str, lang: str) -> tuple[str, str]:
        self._shown.password_expired = True
        return NotImplemented  # type: ignore[no-any-return]  # asyncssh's convention for "no"


async def dial(
    connection: Connection, handshakes_at_once: asyncio.Semaphore, tunnel: "OpenConnection | None" = None
) -> OpenConnection:
    """Connect and log in, once. `handshakes_at_once` limits concurrent handshakes.

    Raises Transient, Refused, or a HostError that no retry would fix.
    """
    trust = trust_of(connection)
    credentials = await asyncio.to_thread(credentials_of, connection)
    shown = Shown()
    async with _agent(credentials) as more_keys:
        shown.rsa = any(key.algorithm.startswith(b"ssh-rsa") for key in (*credentials.keys, *more_keys))
        try:
            with waiting(DIALLING):
                sock = await _tcp(connection) if tunnel is None else None
            try:
                if sock is not None:
                    with waiting(DIALLING):
                        await _spoken(sock)
                async with _slot(handshakes_at_once), asyncio.timeout(connection.per_dial_timeout) as clock:
                    ssh = await _ssh(
                        connection,
                        trust=trust,
                        credentials=credentials,
                        more_keys=more_keys,
                        shown=shown,
                        connected=lambda: clock.reschedule(asyncio.get_running_loop().time() + LOGIN_TIMEOUT),
                        sock=sock,
                        tunnel=tunnel,
                    )
            except BaseException:
                if sock is not None:
                    sock.close()
                raise
        except asyncssh.HostKeyNotVerifiable as error:
            raise refusal(connection, trust, shown, str(error)) from None
        except (OSError, TimeoutError, asyncssh.Error) as error:
            raise _meaning(connection, credentials, shown, error) from None
    return OpenConnection(connection, ssh)


@asynccontextmanager
async def _slot(handshakes_at_once: asyncio.Semaphore) -> AsyncIterator[None]:
    with waiting(HANDSHAKE_SLOT):
        await handshakes_at_once.acquire()
    try:
        with waiting(HANDSHAKE):
            yield
    finally:
        handshakes_at_once.release()


@asynccontextmanager
async def _agent(credentials: Credentials) -> AsyncIterator[Sequence[asyncssh.SSHKeyPair]]:
    if credentials.agent is None:
        yield ()
        return
    agent, keys = await agent_keys(credentials.agent)
    try:
        yield keys
    finally:
        agent.close()


def _ssh(
    connection: Connection,
    *,
    trust: Trust,
    credentials: Credentials,
    more_keys: Sequence[asyncssh.SSHKeyPair],
    shown: Shown,
    connected: Callable[[], None],
    sock: socket.socket | None,
    tunnel: "OpenConnection | None",
) -> Awaitable[asyncssh.SSHClientConnection]:
    offered = offer(old=connection.old_algorithms)
    return asyncssh.connect(
        connection.host,
        connection.port,
        config=None,  # ~/.ssh/config belongs to the user, not the stack: a run must not depend on it
        sock=sock,
        tunnel=tunnel.ssh if tunnel is not None else (),
        client_factory=lambda: _Client(shown, more_keys, connected),
        username=connection.user,
        known_hosts=trust.lists(),
        server_host_key_algs=trust.algorithms(),
        kex_algs=offered.kex,
        encryption_algs=offered.ciphers,
        mac_algs=offered.macs,
        signature_algs=offered.signatures,
        x509_trusted_certs=None,
        client_keys=list(credentials.keys) or None,
        agent_path=None,
        password=credentials.password,
        public_key_auth=bool(credentials.keys or more_keys),
        password_auth=credentials.password is not None,
        kbdint_auth=credentials.password is not None,
        preferred_auth="publickey,password,keyboard-interactive",
        host_based_auth=False,
        gss_auth=False,
        gss_kex=False,
        keepalive_interval=KEEPALIVE_INTERVAL,
        keepalive_count_max=KEEPALIVE_COUNT,
        login_timeout=LOGIN_TIMEOUT,
    )


async def _tcp(connection: Connection) -> socket.socket:
    """A TCP connection to the first address that answers, all within per_dial_timeout."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(connection.per_dial_timeout):
        addresses = await loop.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)
        last: OSError = OSError("no address")
        for number, (family, kind, protocol, _, address) in enumerate(addresses):
            left = len(addresses) - number
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            try:
                async with asyncio.timeout(connection.per_dial_timeout / left if left > 1 else None):
                    await loop.sock_connect(sock, address)
                return sock
            except OSError as error:  # includes TimeoutError
                sock.close()
                last = error
            except BaseException:
                sock.close()
                raise
        raise last


async def _spoken(sock: socket.socket) -> None:
    """Wait for the server's identification string (RFC 4253, 4.2) before taking a handshake slot: a host that accepts
    connections and sends nothing must not block others."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        async with asyncio.timeout(LOGIN_TIMEOUT):
            await readable.wait()
    finally:
        loop.remove_reader(sock)


def _meaning(
    connection: Connection, credentials: Credentials, shown: Shown, error: OSError | asyncssh.Error
) -> Exception:
    """Return the exception that a failed attempt amounts to."""
    said = " ".join(shown.banners).lower()
    if any(word in said for word in _BOOTING):
        return Transient(f"the host is not ready for logins: {' '.join(shown.banners).strip()}")
    if isinstance(error, asyncssh.PermissionDenied) or "too many authentication failures" in str(error).lower():
        return Refused(_refused(connection, credentials, shown, str(error)))
    if isinstance(error, asyncssh.ConnectionLost) and said:
        # sshd disconnects with PAM's message as a banner if the account, not the key, is the problem
        words = " ".join(shown.banners[-1].split())[:200]
        return Refused(f"{_refused(connection, credentials, shown, '')}: the host hung up after saying: {words}")
    if isinstance(error, asyncssh.KeyExchangeFailed | asyncssh.ProtocolNotSupported):
        hint = "" if connection.old_algorithms else OLDER
        return NotSupported(f"{connection.address}: no common SSH algorithm or version: {error}", hint=hint)
    if isinstance(error, asyncssh.ChannelOpenError) and error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
        return Unreachable(
            tried=(connection.address,),
            cause="the jump host refuses to forward connections",
            hint="On the jump host, sshd_config needs AllowTcpForwarding yes (or local) for this user.",
        )
    if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
        return Unreachable(tried=(connection.address,), cause=f"unknown host name: {error.strerror}")
    return Transient(_cause(connection, error), refused=isinstance(error, ConnectionRefusedError))


def _cause(connection: Connection, error: OSError | asyncssh.Error) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {connection.per_dial_timeout:.0f} s"
    if isinstance(error, socket.gaierror):  # its numbers are not those of strerror(3)
        return f"the host name cannot be resolved now: {error.strerror}"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else str(error)
    return str(error) or type(error).__name__


def _refused(connection: Connection, credentials: Credentials, shown: Shown, reason: str) -> str:
    tried = ", ".join(credentials.described) or "nothing: no key, password or agent is given"
    place = f"{connection.address} (with {tried})"
    if shown.password_expired:
        return f"{place}: its password has expired and must be changed first"
    if "too many" in reason.lower():
        return f"{place}: too many authentication failures (an agent with many keys? name one privateKeyFile)"
    if shown.rsa and needs_sha1(shown.version) and not connection.old_algorithms:
        return f"{place}: {RSA_BY_SHA1}"
    return place

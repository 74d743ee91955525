"""An SSH server in this process, on loopback, that runs commands in the local sh. Only for tests of hosts/."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncssh

from tests.ssh.ghost import Ghost


@dataclass
class Behaviour:
    """The server's behaviour; tests change it at run time."""

    keys: dict[str, str] = field(default_factory=dict)
    """user -> accepted public key line."""
    authorities: dict[str, str] = field(default_factory=dict)
    """user -> public key line of an authority whose certificates are accepted."""
    passwords: dict[str, str] = field(default_factory=dict)
    keyboard_interactive: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    path_prefix: str = ""
    """A directory at the head of PATH, for a fake sudo."""
    forced: dict[str, str] = field(default_factory=dict)
    """user -> command that replaces the requested one, as with sshd's ForceCommand."""
    max_sessions: int = 10
    banner: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    """Additional options of asyncssh, such as algorithms, from the next `listen` on."""
    ghost: Ghost | None = None
    """Answers every command, instead of this machine's sh."""
    forwarding: bool | None = True
    """Whether forwarding is allowed; None: the hosts behind this one do not answer."""


@dataclass
class Server:
    """A running server, with a record of its clients' actions."""

    behaviour: Behaviour
    host_keys: list[asyncssh.SSHKey]
    loop: asyncio.AbstractEventLoop
    acceptor: Any = None
    port: int = 0
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    attempts: list[tuple[str, str]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    open_sessions: int = 0
    most_sessions: int = 0
    forwarded: list[tuple[str, int]] = field(default_factory=list)
    children: list[asyncio.subprocess.Process] = field(default_factory=list)

    def host_key_line(self, number: int = 0) -> str:
        return " ".join(self.host_keys[number].export_public_key().decode().split()[:2])

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function or coroutine function in the server's loop."""

        async def work() -> Any:
            result = function(*arguments)
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(work(), self.loop).result(10)

    def listen(self, port: int = 0) -> None:
        async def start() -> None:
            self.acceptor = await asyncssh.listen(
                "127.0.0.1",
                port,
                server_factory=lambda: _Protocol(self),
                encoding=None,
                login_timeout=10,
                **{"server_host_keys": self.host_keys, **self.behaviour.options},
            )
            self.port = self.acceptor.get_port()

        self.call(start)

    def stop_listening(self) -> None:
        async def stop() -> None:
            self.acceptor.close()
            await self.acceptor.wait_closed()

        self.call(stop)

    def drop_connections(self) -> None:
        """Break every connection without a disconnect message."""
        self.call(_abort, self.connections)


def _abort(connections: list[asyncssh.SSHServerConnection]) -> None:
    for connection in connections:
        connection.abort()


class _Protocol(asyncssh.SSHServer):
    def __init__(self, server: Server) -> None:
        self.server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.conn = conn
        self.server.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        if self.server.behaviour.banner:
            self.conn.send_auth_banner(self.server.behaviour.banner)
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        line = " ".join(key.export_public_key().decode().split()[:2])
        self.server.attempts.append((username, line))
        return self.server.behaviour.keys.get(username) == line

    def validate_ca_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        line = " ".join(key.export_public_key().decode().split()[:2])
        self.server.attempts.append((username, "certificate"))
        return self.server.behaviour.authorities.get(username) == line

    def password_auth_supported(self) -> bool:
        return not self.server.behaviour.keyboard_interactive

    def validate_password(self, username: str, password: str) -> bool:
        self.server.attempts.append((username, "password"))
        return self.server.behaviour.passwords.get(username) == password

    def kbdint_auth_supported(self) -> bool:
        return self.server.behaviour.keyboard_interactive

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        return len(responses) == 1 and self.server.behaviour.passwords.get(username) == responses[0]

    def auth_completed(self) -> None:
        self.server.logins.append(self.conn.get_extra_info("username"))

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        if self.server.behaviour.forwarding is False:  # as sshd does with AllowTcpForwarding no
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "open failed")
        self.server.forwarded.append((dest_host, dest_port))
        return self.server.behaviour.forwarding or asyncio.Event().wait()

    def session_requested(self) -> Any:
        # as sshd does at MaxSessions: the channel is refused, the connection stays open
        if self.server.open_sessions >= self.server.behaviour.max_sessions:
            return False
        self.server.open_sessions += 1
        self.server.most_sessions = max(self.server.most_sessions, self.server.open_sessions)
        return asyncssh.SSHServerProcess(lambda process: _serve(self.server, process), None, 3, False)


async def _pump(source: Any, sink: Any) -> None:
    with suppress(OSError):  # one side hung up
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    if isinstance(sink, asyncio.StreamWriter):
        sink.close()


async def _serve(server: Server, process: asyncssh.SSHServerProcess[bytes]) -> None:
    behaviour = server.behaviour
    server.commands.append(process.command or "")
    if behaviour.ghost is not None:
        await _haunt(server, behaviour.ghost, process)
        return
    command = behaviour.forced.get(process.get_extra_info("username"), process.command or "")
    path = (f"{behaviour.path_prefix}:" if behaviour.path_prefix else "") + "/usr/sbin:/usr/bin:/sbin:/bin"
    try:
        child = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": path, **behaviour.environment},
            start_new_session=True,
        )
        server.children.append(child)
        assert child.stdin
        assert child.stdout
        assert child.stderr
        feeding = asyncio.create_task(_pump(process.stdin, child.stdin))
        await asyncio.gather(_pump(child.stdout, process.stdout), _pump(child.stderr, process.stderr))
        status = await child.wait()
        feeding.cancel()  # a command that ends does not wait for the end of its input
        process.exit(status)
    except OSError:
        pass  # the client hung up
    finally:
        server.open_sessions -= 1


async def _haunt(server: Server, ghost: Ghost, process: asyncssh.SSHServerProcess[bytes]) -> None:
    try:
        command, given = process.command or "", b""
        if "sudo -S" in command:  # the password; nothing may follow until root's shell is ready
            given = await process.stdin.readline()
        if "stockade: root" in command:
            process.stdout.write(b"\nstockade: root\n")
        if "-- true" not in command:
            given += await process.stdin.read()
        said = ghost.answer(command, given)
        process.stdout.write(said.stdout)
        process.stderr.write(said.stderr)
        if said.cut:
            await process.stdout.drain()
            process.get_extra_info("connection").abort()
        else:
            process.exit(said.status)
    except OSError:
        pass  # the client hung up
    finally:
        server.open_sessions -= 1


async def _end(server: Server) -> None:
    """End everything that a test started."""
    for child in server.children:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
        child._transport.close()  # type: ignore[attr-defined]
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def serving(behaviour: Behaviour, host_keys: list[asyncssh.SSHKey]) -> Iterator[Server]:
    """Run a server in its own thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = Server(behaviour, host_keys, loop)
    server.listen()
    try:
        yield server
    finally:
        server.stop_listening()
        server.drop_connections()
        server.call(_end, server)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()

# ruff: noqa: N802  (method names of the gRPC protocol)
"""A stand-in for pulumi-command's plugin: `command:remote:Command`, and nothing else of that package.

It keeps the same inputs and outputs in the state, so the real plugin can take over at any time. Unlike the real one, it
never accepts an unknown host key, and it refuses `environment`.
Source: the schema of pulumi-command 1.2 and pulumi/proto/provider.proto.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any

import asyncssh
import grpc
from google.protobuf import empty_pb2
from pulumi.runtime import proto
from pulumi.runtime.proto import provider_pb2_grpc
from pydantic import ValidationError

from hosts.errors import HostError
from hosts.ssh.connection import Connection
from hosts.ssh.guesses import Guesses
from hosts.ssh.login import LoginSequence
from hosts.text.masking import mask
from local.engine.state.values import PropertyMap, contains_unknown, from_struct, to_struct
from provider.serving import serve

RESOURCE_TYPE = "command:remote:Command"
VERSION = "1.2.1"
DEFAULTS: PropertyMap = {"user": "root", "port": 22.0, "dialErrorLimit": 10.0, "perDialTimeout": 15.0}
INPUTS = frozenset(
    {"connection", "create", "update", "delete", "stdin", "triggers", "logging", "addPreviousOutputInEnv"}
)
PATIENCE = 120.0
"""Seconds for the connection, however many attempts dialErrorLimit allows."""
LIMIT = 3600.0
"""Seconds for a command if `customTimeouts` sets no limit."""
THREADS = 64


class CommandError(Exception):
    """A request that cannot be carried out; the message is all that is shown."""


@dataclass(frozen=True)
class CommandOutput:
    """What a command printed."""

    stdout: str = ""
    stderr: str = ""


async def execute(connection: Connection, command: str, stdin: str, limit: float) -> CommandOutput:
    """Run a command as the login user's shell would, with `stdin` as its input.

    Raises `HostError` if the login fails, `CommandError` if the command fails or takes longer than `limit`.
    """
    one_at_a_time = asyncio.Semaphore()

    def sequence_for(way: Connection) -> LoginSequence:
        return LoginSequence(
            way.host,
            (("command", way),),
            PATIENCE,
            one_at_a_time,
            lambda proxy: jumps.setdefault(proxy, sequence_for(proxy)),
            guesses=Guesses(),
        )

    jumps: dict[Connection, LoginSequence] = {}
    first = sequence_for(connection)
    try:
        line = (await first.connected()).line
        async with asyncio.timeout(limit):
            done = await line.ssh.run(command, input=stdin, encoding="utf-8", errors="replace")
    except TimeoutError:
        raise CommandError(f"the command did not end within {limit:.0f} s") from None
    except (OSError, asyncssh.Error) as error:
        raise CommandError(f"the connection broke while the command ran: {error}") from None
    finally:
        for used in (first, *jumps.values()):
            await used.close()
    out, err = str(done.stdout or ""), str(done.stderr or "")
    if done.exit_status != 0:
        how = f"exited with status {done.exit_status}" if done.exit_status is not None else "was killed"
        raise CommandError(mask(f"the command {how}:\n{out}{err}", (*connection.secrets(), stdin.strip())))
    return CommandOutput(out.removesuffix("\n"), err.removesuffix("\n"))


def checked(inputs: PropertyMap) -> tuple[PropertyMap, list[tuple[str, str]]]:
    """Return the inputs with defaults, and problems as (property, reason)."""
    problems = [(name, "the stand-in for pulumi-command does not know it") for name in sorted(set(inputs) - INPUTS)]
    connection = inputs.get("connection")
    if connection is None:
        return inputs, [*problems, ("connection", "it is required")]
    if not isinstance(connection, dict):
        return inputs, problems
    filled = {**DEFAULTS, **connection}
    if isinstance(proxy := filled.get("proxy"), dict):
        filled["proxy"] = {**DEFAULTS, **proxy}
    if not contains_unknown(filled):
        try:
            Connection.model_validate(filled)
        except ValidationError as error:
            for item in error.errors(include_input=False, include_url=False):
                place = ".".join(("connection", *(str(part) for part in item["loc"])))
                problems.append((place, item["msg"].removeprefix("Value error, ")))
    return {**inputs, "connection": filled}, problems


def run(properties: PropertyMap, command: Any, timeout: float) -> PropertyMap:
    """Run one command of a resource, if it is set; return stdout and stderr as properties."""
    if not isinstance(command, str) or not command:
        return {}
    connection = Connection.model_validate(properties["connection"])
    stdin = properties.get("stdin")
    outcome = asyncio.run(execute(connection, command, stdin if isinstance(stdin, str) else "", timeout or LIMIT))
    return {"stdout": outcome.stdout, "stderr": outcome.stderr}


class CommandPlugin(provider_pb2_grpc.ResourceProviderServicer):
    """The plugin's side of the provider protocol."""

    def CheckConfig(self, request: Any, _context: Any) -> Any:
        """There is nothing to configure."""
        return proto.CheckResponse(inputs=request.news)

    def DiffConfig(self, _request: Any, _context: Any) -> Any:
        """No configuration replaces the provider."""
        return proto.DiffResponse(changes=proto.DiffResponse.DIFF_NONE)

    def Configure(self, _request: Any, _context: Any) -> Any:
        """Secrets are sent and returned as plain values; the engine marks them by name."""
        return proto.ConfigureResponse(acceptSecrets=False, supportsPreview=False, acceptResources=False)

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:
        """The version of pulumi-command that this stands in for."""
        return proto.PluginInfo(version=VERSION)

    def Check(self, request: Any, _context: Any) -> Any:
        """Fill in defaults and report invalid properties by path."""
        if (token := request.urn.split("::")[2].rsplit("$", 1)[-1]) != RESOURCE_TYPE:
            reason = f"the stand-in for pulumi-command has {RESOURCE_TYPE} alone, not {token}: install the real plugin"
            return proto.CheckResponse(failures=[proto.CheckFailure(reason=reason)])
        inputs, problems = checked(from_struct(request.news))
        failures = [proto.CheckFailure(property=name, reason=reason) for name, reason in problems]
        return proto.CheckResponse(inputs=to_struct(inputs, secrets=False), failures=failures)

    def Diff(self, request: Any, _context: Any) -> Any:
        """A change of triggers replaces the resource, any other updates it."""
        olds, news = from_struct(request.old_inputs), from_struct(request.news)
        changed = sorted(name for name in olds.keys() | news.keys() if olds.get(name) != news.get(name))
        kinds = proto.DiffResponse
        return proto.DiffResponse(
            changes=kinds.DIFF_SOME if changed else kinds.DIFF_NONE,
            diffs=changed,
            replaces=[name for name in changed if name == "triggers"],
        )

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Run `create`."""
        inputs = from_struct(request.properties)
        outputs = self._outputs(inputs, inputs.get("create"), request.timeout, context)
        identity = request.urn.rsplit("::", 1)[-1] + secrets.token_hex(4)
        return proto.CreateResponse(id=identity, properties=to_struct(outputs, secrets=False))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Run `update`, or `create` if that is not set."""
        news, olds = from_struct(request.news), from_struct(request.olds)
        kept = {name: olds.get(name, "") for name in ("stdout", "stderr")}
        command = news.get("update") or news.get("create")
        outputs = {**kept, **self._outputs(news, command, request.timeout, context)}
        return proto.UpdateResponse(properties=to_struct(outputs, secrets=False))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Run `delete`."""
        properties = from_struct(request.properties)
        self._outputs(properties, properties.get("delete"), request.timeout, context)
        return empty_pb2.Empty()

    def Read(self, request: Any, _context: Any) -> Any:
        """The effect of a command cannot be read back: nothing changes."""
        return proto.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Cancel(self, _request: Any, _context: Any) -> Any:
        """Let a running command finish: an upgrade must not be left half done."""
        return empty_pb2.Empty()

    @staticmethod
    def _outputs(properties: PropertyMap, command: Any, timeout: float, context: grpc.ServicerContext) -> PropertyMap:
        try:
            return {**properties, **run(properties, command, timeout)}
        except (HostError, CommandError) as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
            raise  # unreachable: abort raises


if __name__ == "__main__":
    serve(CommandPlugin(), THREADS)

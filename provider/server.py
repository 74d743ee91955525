"""The dynamic provider process: many parallel operations, one connection pool, errors without tracebacks.

`python -m pulumi.dynamic`, which Pulumi starts by default, serves four operations at a time and answers every failure
with a traceback. This server speaks the same protocol (pulumi/proto/provider.proto) for the same resources. It loads
their providers by name (reference.py), and unpickles nothing.
"""

import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from hashlib import sha256
from secrets import token_hex
from socket import gethostname
from typing import Any, TypeVar

import grpc
from google.protobuf import empty_pb2
from google.protobuf.struct_pb2 import Struct
from pulumi.dynamic import Config, ConfigureRequest, ResourceProvider
from pulumi.runtime import Settings, configure, proto, rpc
from pulumi.runtime.proto import ResourceProviderServicer
from pulumi.runtime.proto.engine_pb2_grpc import EngineStub
from pulumi.runtime.proto.status_pb2 import Status
from pydantic import ValidationError

from components.core import console
from components.core.chapter import Unfinished
from components.core.claims import CLAIMS, called_for
from components.failure import Failure
from hosts.errors import HostError
from hosts.guard.record import RUN
from hosts.once import ReportedOnce
from hosts.text.masking import shortened
from hosts.waiting import timed
from provider.ancestors import at_once, engine_process, start_of
from provider.chapters import Chapters
from provider.exported import WholeState
from provider.kept import Kept, stack_of
from provider.reference import load
from provider.serving import end, serve
from provider.slowest import Slowest
from provider.structs import plain, properties, same, same_but, struct_of
from provider.turns import Turns

PROVIDER_KEY = "__provider"


def answering(run: Callable[..., Any]) -> Callable[..., Any]:
    """Report errors of the user and the host as plain messages; only our own faults come with a traceback."""

    def call(self: "Server", request: Any, context: grpc.ServicerContext) -> Any:
        clock = self.slowest.clock()
        try:
            self.chapters.wait(run.__name__, request, self._config)
            with timed(clock), called_for(request.urn):
                return run(self, request)
        except Unfinished as error:
            _note_failed(request)
            self._abort_unfinished(context, request, error)
        except (HostError, Failure) as error:
            _note_failed(request)
            context.abort(grpc.StatusCode.UNKNOWN, shortened(self.reported.text(error)))
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False)
            places = (f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in faults)
            context.abort(grpc.StatusCode.UNKNOWN, shortened("\n".join(places)))
        except Exception:
            context.abort(
                grpc.StatusCode.UNKNOWN,
                shortened("This is a fault in Stockade, please report it:\n" + traceback.format_exc()),
            )
        finally:
            self.slowest.ended(run.__name__.lower(), request, clock)

    return call


def _note_failed(request: Any) -> None:
    """Record that whatever was to be created on a host may be missing."""
    if isinstance(request, (proto.CheckRequest, proto.UpdateRequest, proto.DiffRequest)):
        CLAIMS.fail(request.news.fields["host"].string_value if "host" in request.news.fields else "")
    elif isinstance(request, proto.CreateRequest):
        CLAIMS.fail(request.properties.fields["host"].string_value if "host" in request.properties.fields else "")


def _note_alive(request: Any) -> None:
    """A diffed resource is in the state and not being deleted, unless its host is another machine (`_elsewhere`)."""
    claim = request.olds.fields["claim"].string_value if "claim" in request.olds.fields else ""
    if claim:
        CLAIMS.alive(claim, request.urn)
        CLAIMS.keep(request.urn, partial(properties, request.olds))


def _elsewhere(provider: ResourceProvider, request: Any) -> bool:
    """Return whether the host is another machine than the one in the state."""
    elsewhere: Callable[..., str] = getattr(provider, "elsewhere", lambda *_: "")
    olds, news = _picked(request.olds, "machine"), _picked(request.news, "host", "connection")
    return bool(olds and elsewhere(olds, news))


def _picked(struct: Any, *names: str) -> dict[str, Any]:
    """Return some properties of a Struct; reading all of them for each resource is slow."""
    some = Struct()
    for name in names:
        if name in struct.fields:
            some.fields[name].CopyFrom(struct.fields[name])
    return properties(some)


class Server(ResourceProviderServicer):
    """Serves the `ResourceProvider` that each resource names."""

    def __init__(self, chapters: Chapters | None = None) -> None:
        self.slowest = Slowest()
        self.reported = ReportedOnce()
        self._config: dict[str, Any] = {}
        self._own = Kept()
        self._engine = sys.argv[-1]
        self._state = WholeState()
        self._providers: dict[str, ResourceProvider] = {}
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._turns = Turns(at_once)
        self.chapters = chapters or Chapters()

    def CheckConfig(self, request: Any, _context: Any) -> Any:
        """Keep what other runs need among the provider's own inputs (kept.py)."""
        return proto.CheckResponse(inputs=self._own.checked(request))

    def Configure(self, request: Any, _context: Any) -> Any:
        """Keep the stack config (plain values, secrets decrypted) for the providers' `configure`."""
        self._config = self._own.configured(request)
        return proto.ConfigureResponse(acceptSecrets=False)

    def _abort_unfinished(self, context: grpc.ServicerContext, request: Any, error: Unfinished) -> None:
        """Fail, and let the engine keep the resource's partial state (`ErrorResourceInitFailed` of provider.proto)."""
        props = request.properties if isinstance(request, proto.CreateRequest) else request.news
        outs = self._kept(struct_of({**error.outs, PROVIDER_KEY: props.fields[PROVIDER_KEY].string_value}))
        message = shortened(str(error))
        detail = proto.ErrorResourceInitFailed(
            id=error.id, properties=outs, reasons=[message], inputs=self._kept(props)
        )
        status = Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
        status.details.add().Pack(detail)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, message)

    def _kept(self, struct: Any) -> Any:
        """Return properties in the form that the engine is to keep."""
        return struct

    @answering
    def Check(self, request: Any) -> Any:
        news = plain(request.news)
        given = rpc.deserialize_properties(request.news, True) if news is None else news
        if not request.olds.fields:  # it will be created
            self.chapters.expect_login()
        result = self._provider(request, request.news, request.olds).check(properties(request.olds), given)
        if result.failures:
            _note_failed(request)
        failures = [proto.CheckFailure(property=f.property, reason=f.reason) for f in result.failures]
        inputs = {**result.inputs, PROVIDER_KEY: given[PROVIDER_KEY]}
        if news is not None and same(inputs, news):  # everything is already in normal form
            return proto.CheckResponse(inputs=request.news, failures=failures)
        return proto.CheckResponse(inputs=struct_of(inputs), failures=failures)

    @answering
    def Diff(self, request: Any) -> Any:
        provider = self._provider(request, request.news, request.olds)
        elsewhere = _elsewhere(provider, request)
        if not elsewhere:
            _note_alive(request)
        unfinished = self._unfinished(provider, request.urn, ())
        if unfinished:
            console.warn(_INTERRUPTED)
        changed = elsewhere or unfinished or {"unfinished", "earlier"} & set(request.olds.fields)
        outputs: frozenset[str] | None = getattr(provider, "outputs", None)
        if outputs is not None and same_but(request.olds, request.news, outputs) and not changed:
            return proto.DiffResponse(changes=proto.DiffResponse.DIFF_NONE)
        result = provider.diff(request.id, {**properties(request.olds), **unfinished}, properties(request.news))
        some = proto.DiffResponse.DIFF_SOME if result.changes else proto.DiffResponse.DIFF_NONE
        if result.changes:
            self.chapters.expect_login()
        return proto.DiffResponse(
            changes=proto.DiffResponse.DIFF_UNKNOWN if result.changes is None else some,
            replaces=result.replaces or [],
            deleteBeforeReplace=bool(result.delete_before_replace),
        )

    @answering
    def Create(self, request: Any) -> Any:
        props = rpc.deserialize_properties(request.properties)
        provider = self._provider(request, request.properties)
        result = provider.create({**props, **self._earlier(provider, request.urn, ())})
        outs = {**(result.outs or {}), PROVIDER_KEY: props[PROVIDER_KEY]}
        return proto.CreateResponse(id=result.id, properties=struct_of(outs))

    @answering
    def Update(self, request: Any) -> Any:
        provider = self._provider(request, request.news)
        olds = rpc.deserialize_properties(request.olds)
        olds |= self._unfinished(provider, request.urn, olds.get("earlier") or ())
        news = rpc.deserialize_properties(request.news)
        result = provider.update(request.id, olds, news)
        outs = {**(result.outs or {}), PROVIDER_KEY: news[PROVIDER_KEY]}
        return proto.UpdateResponse(properties=struct_of(outs))

    @answering
    def Read(self, request: Any) -> Any:
        recorded = request.properties if request.properties.fields else request.inputs
        props = rpc.deserialize_properties(recorded)
        provider = self._provider(request, recorded)
        props |= self._earlier(provider, request.urn, props.get("earlier") or ())
        result = provider.read(request.id, props)
        reference = {PROVIDER_KEY: props[PROVIDER_KEY]}
        inputs = None if result.inputs is None else struct_of({**result.inputs, **reference})
        return proto.ReadResponse(
            id=result.id or "", properties=struct_of({**(result.outs or {}), **reference}), inputs=inputs
        )

    @answering
    def Delete(self, request: Any) -> Any:
        props = rpc.deserialize_properties(request.properties)
        provider = self._provider(request, request.properties)
        props |= self._earlier(provider, request.urn, props.get("earlier") or ())
        with self._turn(provider, request.id, props):
            provider.delete(request.id, props)
        return empty_pb2.Empty()

    def _turn(self, provider: ResourceProvider, id_: str, props: dict[str, Any]) -> AbstractContextManager[None]:
        """Return what waits until a resource may be deleted: what depends on it on its machine comes first."""
        left: Any = getattr(provider, "left_with", None)
        machine: Any = getattr(provider, "machine_of", None)
        if left is None or machine is None:
            return nullcontext()  # it is on no host
        host, _, title = id_.partition("/")
        return self._turns.turn(host, title, lambda anew: left(props, anew=anew), machine(props))

    def _unfinished(self, provider: ResourceProvider, urn: str, earlier: Iterable[Any]) -> dict[str, Any]:
        """Return what the state lacks about a resource whose change was interrupted when a run was killed."""
        if urn not in self._own.interrupted or "unfinished" not in getattr(provider, "outputs", ()):
            return {}
        return {"unfinished": True, **self._earlier(provider, urn, earlier)}

    def _earlier(self, provider: ResourceProvider, urn: str, earlier: Iterable[Any]) -> dict[str, Any]:
        """Return the inputs of which parts may be in force: those in the state, and what killed runs were to apply."""
        meant = self._own.meant.get(urn, ()) if "earlier" in getattr(provider, "outputs", ()) else ()
        found = [*earlier]
        found += [one for one in meant if one not in found]
        return {"earlier": found} if meant else {}

    def Cancel(self, _request: Any, _context: Any) -> Any:
        """Refuse deletions that have not begun. Other operations in flight are bounded remote runs: they are waited
        for."""
        self._turns.cancel()
        return empty_pb2.Empty()

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:
        return proto.PluginInfo(version="0.1.0")

    def _load(self, reference: str) -> ResourceProvider:
        """Return the provider that a resource refers to."""
        return load(reference)

    def _provider(self, request: Any, props: Any, olds: Any = None) -> ResourceProvider:
        """Return the provider to which the Struct `props` (or, while that is unknown, `olds`) refers.

        It is configured once per process.
        """
        project = os.environ.get("PULUMI_PROJECT", "project")
        stack = stack_of(request.urn)
        if getattr(self._thread, "stack", None) != stack:  # the SDK's settings are thread-local
            configure(Settings(project=project, stack=stack, organization="organization"))
            self._thread.stack = stack
        reference = props.fields[PROVIDER_KEY].string_value
        if reference == rpc.UNKNOWN and olds and PROVIDER_KEY in olds.fields:
            reference = olds.fields[PROVIDER_KEY].string_value
        if not reference:  # `pulumi import`, or `get` in a program: the SDK sends it only for declared ones
            raise Failure(f"{request.urn}: cannot be imported: declare it, and `pulumi up` takes over what is there")
        with self._lock:
            if reference not in self._providers:
                provider = self._load(reference)
                provider.configure(ConfigureRequest(config=Config(raw_config=self._config, project_name=project)))
                if hasattr(provider, "former"):
                    provider.former = self._own.former
                if hasattr(provider, "in_state"):
                    provider.in_state = partial(self._state.read, stack)
                self._providers[reference] = provider
            return self._providers[reference]


_INTERRUPTED = "a run that was interrupted was changing this: what is declared is applied again"


class EngineConsole:
    """The console of the engine at an address."""

    def __init__(self, address: str) -> None:
        self._engine = EngineStub(grpc.insecure_channel(address))

    def warn(self, urn: str, text: str) -> None:
        """Show a warning about the resource `urn`; if the engine does not accept it, the operation continues."""
        with contextlib.suppress(grpc.RpcError):
            self._engine.Log(
                proto.LogRequest(severity=proto.LogSeverity.WARNING, message=shortened(text), urn=urn), timeout=10
            )


def run_of(address: str) -> str:
    """Return a token for the run of the engine at an address.

    An engine may start several processes like this one, which do not wait for each other's hosts. The same address may
    be used again, but not by the same process.
    """
    engine = engine_process()
    started = start_of(engine) or token_hex(8)
    return sha256(f"{gethostname()} {address} {engine} {started}".encode()).hexdigest()[:16]


S = TypeVar("S", bound=Server)


def started(server: Callable[[Chapters], S]) -> S:
    """Return what serves the engine whose address is in the arguments, as in the plugin protocol.

    Its chapters are still being imported.
    """
    if len(sys.argv) > 1:
        console.use(EngineConsole(sys.argv[-1]))
        os.environ.setdefault(RUN, run_of(sys.argv[-1]))
    chapters = Chapters()
    chapters.load()
    return server(chapters)


def main() -> None:
    """Serve dynamic resources until the engine ends."""
    serve(started(Server))
    end()

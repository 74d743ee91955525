"""The gRPC services for the program (ResourceMonitor) and the plugins (Engine)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, resource_pb2, resource_pb2_grpc

from local.engine.display.events import Severity, Sink
from local.engine.errors import EngineError, UnsupportedError
from local.engine.processes.answers import ProviderError
from local.engine.processes.plugins import CHANNEL_OPTIONS
from local.engine.run.construct import Constructor
from local.engine.run.deployment import Deployment
from local.engine.run.goals import Goal, read_goal
from local.engine.run.providers import ProviderPool
from local.engine.state.project import Config
from local.engine.state.values import from_struct, to_struct
from provider.peers import OnlyOurs

_SEVERITIES = {
    engine_pb2.DEBUG: Severity.DEBUG,
    engine_pb2.INFO: Severity.INFO,
    engine_pb2.WARNING: Severity.WARNING,
    engine_pb2.ERROR: Severity.ERROR,
}
_FEATURES = {
    "secrets": resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    "resourceReferences": resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    "outputValues": resource_pb2.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
    "aliasSpecs": resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    "deletedWith": resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
}


class EngineService(engine_pb2_grpc.EngineServicer):
    """Receives log messages."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._root = ""
        self._refusals: list[str] = []

    def refused(self, sentence: str) -> None:
        """Show why something is not supported, instead of the program's traceback about it."""
        self._refusals.append(sentence)
        self._sink.log(Severity.ERROR, sentence)

    def Log(self, request: Any, context: Any) -> Empty:  # noqa: N802 - the protocol's name
        """Show a message."""
        severity = _SEVERITIES.get(request.severity, Severity.INFO)
        known = any(sentence in request.message for sentence in self._refusals)
        if severity is not Severity.DEBUG and not known:
            self._sink.log(severity, request.message, request.urn)
        return Empty()

    def GetRootResource(self, request: Any, context: Any) -> engine_pb2.GetRootResourceResponse:  # noqa: N802
        """The stack's URN, for older SDKs."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, context: Any) -> engine_pb2.SetRootResourceResponse:  # noqa: N802
        """Note the stack's URN, for older SDKs."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(self, request: Any, context: Any) -> engine_pb2.RequirePulumiVersionResponse:  # noqa: N802
        """The program requires a version of the CLI; here, the version of the SDK counts."""
        return engine_pb2.RequirePulumiVersionResponse()


class MonitorService(resource_pb2_grpc.ResourceMonitorServicer):
    """Receives the program's registrations."""

    def __init__(
        self,
        deployment: Deployment,
        providers: ProviderPool,
        info: resource_pb2.DeploymentInfo,
        engine: EngineService,
        address: str,
    ) -> None:
        self._constructor = Constructor(providers, info, address)
        self._deployment = deployment
        self._providers = providers
        self._info = info
        self._engine = engine

    def _refuse(self, context: grpc.ServicerContext, what: str) -> NoReturn:
        self._refused(context, UnsupportedError(what))

    def _refused(self, context: grpc.ServicerContext, error: EngineError) -> NoReturn:
        self._engine.refused(str(error))
        context.abort(grpc.StatusCode.UNIMPLEMENTED, str(error))
        raise AssertionError  # abort has raised

    def GetDeploymentInfo(self, request: Any, context: Any) -> resource_pb2.DeploymentInfo:  # noqa: N802
        """Project, stack, configuration and supported features."""
        return self._info

    def SupportsFeature(self, request: Any, context: Any) -> resource_pb2.SupportsFeatureResponse:  # noqa: N802
        """Whether a feature is supported, for older SDKs."""
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in _FEATURES)

    def RegisterResource(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Register a resource and carry out its steps."""
        try:
            goal = read_goal(request)
        except EngineError as error:
            self._refused(context, error)
        if request.remote:
            return self._construct(request, goal, context)
        done = self._deployment.register(goal)
        response = resource_pb2.RegisterResourceResponse(urn=done.urn)
        if done.state is None:
            response.result = resource_pb2.FAIL
            return response
        response.id = done.state.id
        if goal.custom:
            outputs = to_struct(done.state.outputs, secrets=request.acceptSecrets, references=request.acceptResources)
            response.object.CopyFrom(outputs)
        return response

    def _construct(self, request: Any, goal: Goal, context: grpc.ServicerContext) -> Any:
        try:
            return self._constructor.construct(request)
        except UnsupportedError as error:
            self._refused(context, error)
        except (EngineError, ProviderError) as error:
            return resource_pb2.RegisterResourceResponse(
                urn=self._deployment.failed_component(goal, str(error)), result=resource_pb2.FAIL
            )

    def RegisterResourceOutputs(self, request: Any, context: grpc.ServicerContext) -> Empty:  # noqa: N802
        """Record a component's outputs."""
        try:
            self._deployment.register_outputs(request.urn, from_struct(request.outputs))
        except EngineError as error:
            self._refused(context, error)
        return Empty()

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Empty:  # noqa: N802
        """The program has registered everything."""
        return Empty()

    def RegisterPackage(self, request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: N802
        """Not supported."""
        self._refuse(context, f"the parameterized provider package {request.name!r}")

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Call a function of a provider whose plugin is installed."""
        if request.tok.startswith("pulumi:pulumi:"):
            self._refuse(context, f"the function {request.tok} (invoke)")
        try:
            package = request.tok.split(":", 1)[0]
            reference = request.provider or self._providers.default(package, request.version, request.pluginDownloadURL)
            response = self._providers.get(reference).invoke(request.tok, from_struct(request.args))
        except UnsupportedError as error:
            self._refused(context, error)
        except (EngineError, ProviderError) as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        answer = resource_pb2.ResourceInvokeResponse(failures=response.failures)
        getattr(answer, "return").CopyFrom(getattr(response, "return"))
        return answer

    def Call(self, request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: N802
        """Not supported."""
        self._refuse(context, f"the method {request.tok} (call)")

    def ReadResource(self, request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: N802
        """Not supported: `Resource.get` and StackReference."""
        what = (
            "StackReference" if request.type == "pulumi:pulumi:StackReference" else f"reading {request.type} by `get`"
        )
        self._refuse(context, f"{what} (resource {request.name!r})")

    def RegisterStackTransform(self, request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: N802
        """Not supported."""
        self._refuse(context, "a resource transform")

    def RegisterStackInvokeTransform(self, request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: N802
        """Not supported."""
        self._refuse(context, "an invoke transform")

    def RegisterResourceHook(self, request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: N802
        """Not supported."""
        self._refuse(context, "a resource hook")

    def RegisterErrorHook(self, request: Any, context: grpc.ServicerContext) -> NoReturn:  # noqa: N802
        """Not supported."""
        self._refuse(context, "an error hook")


def deployment_info(
    project: str, stack: str, config: Config, *, preview: bool, parallel: int
) -> resource_pb2.DeploymentInfo:
    """The information about the run for the SDK."""
    return resource_pb2.DeploymentInfo(
        project=project,
        stack=stack,
        organization="organization",
        config={key: value.text for key, value in config.items()},
        configSecretKeys=[key for key, value in config.items() if value.secret],
        dryRun=preview,
        parallel=parallel,
        supportedFeatures=list(_FEATURES.values()),
    )


class GrpcServer:
    """A gRPC server on a reserved port."""

    def __init__(self, address: str, threads: int) -> None:
        options = [*CHANNEL_OPTIONS, ("grpc.so_reuseport", 1)]
        callers = [OnlyOurs(int(address.rpartition(":")[2]))]
        self._server = grpc.server(ThreadPoolExecutor(max_workers=threads), interceptors=callers, options=options)
        self._server.add_insecure_port(address)

    def serve(self, add: Callable[[Any, grpc.GrpcServer], None], service: Any) -> None:
        """Add a service."""
        add(service, self._server)

    def start(self) -> None:
        """Start answering."""
        self._server.start()

    def stop(self) -> None:
        """Stop; running calls are aborted."""
        self._server.stop(grace=None)

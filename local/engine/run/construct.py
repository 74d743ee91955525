"""Components of a package: its plugin declares them for the program, by registering their parts at the same monitor."""

from __future__ import annotations

from typing import Any

from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import resource_pb2

from local.engine.run.goals import read_goal
from local.engine.run.providers import ProviderPool
from local.engine.state.values import from_struct, to_struct


class Constructor:
    """Asks plugins to construct components. `info`: the run. `address`: of its monitor."""

    def __init__(self, providers: ProviderPool, info: resource_pb2.DeploymentInfo, address: str) -> None:
        self._providers = providers
        self._info = info
        self._address = address

    def construct(self, request: Any) -> Any:
        """Return the response to the registration of a component that a plugin has.

        Raises EngineError and ProviderError.
        """
        reference = self._providers.reference(read_goal(request))
        answer = self._providers.get(reference).construct(self._asked(request, reference))
        response = resource_pb2.RegisterResourceResponse(urn=answer.urn)
        state = from_struct(answer.state)
        response.object.CopyFrom(to_struct(state, secrets=request.acceptSecrets, references=request.acceptResources))
        for name, found in answer.stateDependencies.items():
            response.propertyDependencies[name].urns.extend(found.urns)
        return response

    def _asked(self, request: Any, reference: str) -> Any:
        info = self._info
        asked = pb.ConstructRequest(
            project=info.project,
            stack=info.stack,
            organization=info.organization,
            config=info.config,
            configSecretKeys=info.configSecretKeys,
            dryRun=info.dryRun,
            parallel=info.parallel,
            monitorEndpoint=self._address,
            type=request.type,
            name=request.name,
            parent=request.parent,
            inputs=to_struct(from_struct(request.object), secrets=True),
            providers={**request.providers, request.type.partition(":")[0]: reference},
            dependencies=request.dependencies,
            additionalSecretOutputs=request.additionalSecretOutputs,
            deletedWith=request.deletedWith,
            ignoreChanges=request.ignoreChanges,
            replaceOnChanges=request.replaceOnChanges,
            aliases=request.aliases,
        )
        for name, found in request.propertyDependencies.items():
            asked.inputDependencies[name].urns.extend(found.urns)
        if request.HasField("customTimeouts"):
            asked.customTimeouts.MergeFromString(request.customTimeouts.SerializeToString())
        for option in ("protect", "retainOnDelete"):
            if request.HasField(option):
                setattr(asked, option, getattr(request, option))
        return asked

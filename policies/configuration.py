"""The policy names in an environment's configuration, and the host names in `waivedHosts` and similar settings.

The SDK passes each policy only its own settings, so this intercepts the server's configuration.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel, Policy, StackValidationArgs
from pulumi_policy import policy as sdk

from policies.base import hosts, known_hosts, stack_policy
from policies.names import FILE, misspelled, named_without_level
from policies.settings import WAIVED_HOSTS, PolicySettings

_LEVELS = {EnforcementLevel.ADVISORY: analyzer_pb2.ADVISORY, EnforcementLevel.MANDATORY: analyzer_pb2.MANDATORY}
_BY_HOST = (WAIVED_HOSTS.name, "allowedOnHosts")

_given: dict[str, Mapping[str, Any]] = {}


def observe(policies: Iterable[Policy], version: str) -> None:
    """Make the server reject unknown policy names, keep the configuration, and report the pack's `version`.

    The SDK reports 0.0.1 for every pack.
    """
    levels = {policy.name: _LEVELS[policy.enforcement_level or EnforcementLevel.MANDATORY] for policy in policies}

    class Servicer(sdk._PolicyAnalyzerServicer):
        def __init__(self, name: str, _version: str, *more: Any) -> None:
            super().__init__(name, version, *more)

        def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802 - a method of the protocol
            problems = [*misspelled(request.policyConfig)]
            if problems:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the policy configuration: {'; '.join(problems)}")
            if "all" in request.policyConfig:
                for name in named_without_level(os.environ.get(FILE)):
                    request.policyConfig[name].enforcementLevel = levels[name]
            _given.clear()
            _given.update({name: MessageToDict(given.properties) for name, given in request.policyConfig.items()})
            return super().Configure(request, context)  # type: ignore[no-untyped-call]

    sdk._PolicyAnalyzerServicer = Servicer  # type: ignore[misc, assignment]


def _check(args: StackValidationArgs, _settings: PolicySettings) -> Iterator[str]:
    configured = known_hosts()
    if configured is None:
        return
    there = {*configured, *(host.name for host in hosts(args.resources))}
    for policy, settings in _given.items():
        for setting in _BY_HOST:
            missing = sorted({*settings.get(setting, ())} - there)
            if missing:
                yield f"{setting} of {policy} names hosts that do not exist: {', '.join(missing)}."
    machines = {resource.name for resource in args.resources}
    missing = sorted({*_given.get("no-forgotten-machine", {}).get("waivedMachines", ())} - machines)
    if missing:
        yield f"waivedMachines of no-forgotten-machine names machines that do not exist: {', '.join(missing)}."


POLICIES = [
    stack_policy("waivers-needed", "Exceptions name only hosts that exist.", _check, advisory=True),
]

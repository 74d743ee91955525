"""The pack's process, called over Pulumi's Analyzer protocol, as by an engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2 as pb
from pulumi.runtime.proto import analyzer_pb2_grpc

PACK = Path(__file__).parents[2] / "policies"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The marker for a value that is unknown until `pulumi up` (pulumi/sdk/go/common/resource/plugin/rpc.go)."""
DYNAMIC = "pulumi-python:dynamic/stockade:"
_LIMIT = 30


def secret(value: Any) -> dict[str, Any]:
    """A secret as the engine sends it."""
    return {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": value}


@dataclass(frozen=True)
class Told:
    """One diagnostic."""

    policy: str
    message: str
    mandatory: bool = True


def only(told: Iterable[Told], *policies: str) -> list[Told]:
    """The diagnostics of these policies."""
    return [one for one in told if one.policy in policies]


@dataclass(frozen=True)
class Declared:
    """One resource, by its inputs, which are also its outputs when the stack is analysed."""

    kind: str
    name: str
    props: Mapping[str, Any] = field(default_factory=dict)
    needs: Sequence[str] = ()

    @property
    def urn(self) -> str:
        """Its URN."""
        return f"urn:pulumi:test::stockade::{self.kind}::{self.name}"


def ruleset(rules: str, family: str = "ipv4", host: str = "web1", **more: Any) -> Declared:
    """A `Ruleset`."""
    props = {"host": host, "family": family, "rules": rules, **more}
    return Declared(f"{DYNAMIC}Ruleset", f"{host}-{family}", props)


@dataclass
class Pack:
    """The running pack."""

    stub: Any
    info: Any

    def configure(self, config: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Set all policies to their own level, and those named to these settings."""
        wanted = {}
        for policy in self.info.policies:
            properties = Struct()
            properties.update((config or {}).get(policy.name, {}))
            wanted[policy.name] = pb.PolicyConfig(enforcementLevel=policy.enforcementLevel, properties=properties)
        self.stub.Configure(pb.ConfigureAnalyzerRequest(policyConfig=wanted), timeout=_LIMIT)

    def analyze(self, resource: Declared) -> list[Told]:
        """The diagnostics for one resource."""
        request = pb.AnalyzeRequest(
            urn=resource.urn, type=resource.kind, name=resource.name, properties=_struct(resource.props)
        )
        return _told(self.stub.Analyze(request, timeout=_LIMIT))

    def analyze_stack(self, *resources: Declared) -> list[Told]:
        """The diagnostics for a stack."""
        urns = {resource.name: resource.urn for resource in resources}
        items = [
            pb.AnalyzerResource(
                urn=resource.urn,
                type=resource.kind,
                name=resource.name,
                properties=_struct(resource.props),
                dependencies=[urns[name] for name in resource.needs],
            )
            for resource in resources
        ]
        return _told(self.stub.AnalyzeStack(pb.AnalyzeStackRequest(resources=items), timeout=_LIMIT))


@contextmanager
def running_pack(environment: Mapping[str, str] | None = None) -> Iterator[Pack]:
    """Run the pack during a block, as Pulumi's language host does."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(PACK)],
        cwd=PACK,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = analyzer_pb2_grpc.AnalyzerStub(channel)
            yield Pack(stub, stub.GetAnalyzerInfo(Empty(), timeout=_LIMIT, wait_for_ready=True))
    finally:
        process.kill()
        process.wait(_LIMIT)
        if process.stdout:
            process.stdout.close()


def _struct(props: Mapping[str, Any]) -> Struct:
    struct = Struct()
    struct.update(dict(props))
    return struct


def _told(response: Any) -> list[Told]:
    return [
        Told(item.policyName, item.message.removeprefix(item.description + "\n"), item.enforcementLevel == pb.MANDATORY)
        for item in response.diagnostics
    ]

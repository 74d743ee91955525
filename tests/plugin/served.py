"""The plugin's process, called as by an engine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import proto, rpc
from pulumi.runtime.proto import provider_pb2_grpc

REPOSITORY = Path(__file__).parents[2]
SIGNATURE = "4dabf18193072939515e22adb298388d"
UNKNOWN = rpc.UNKNOWN


def secret(value: Any) -> dict[str, Any]:
    """Return a value as the protocol marks a secret."""
    return {SIGNATURE: rpc._special_secret_sig, "value": value}


def struct(values: Mapping[str, Any]) -> Any:
    """Return properties in the form in which they are sent."""
    return ParseDict(dict(values), Struct())


def plain(message: Any) -> dict[str, Any]:
    """Return received properties."""
    found: dict[str, Any] = MessageToDict(message)
    return found


def open_(value: Any) -> Any:
    """Return properties without their marks."""
    if isinstance(value, dict):
        return open_(value["value"]) if SIGNATURE in value else {key: open_(item) for key, item in value.items()}
    return [open_(item) for item in value] if isinstance(value, list) else value


class Engine:
    """An engine's side of the protocol, for one provider."""

    def __init__(self, stub: Any, port: int) -> None:
        self.stub, self.port = stub, port
        self.empty = empty_pb2.Empty()

    def configure(self, **inputs: Any) -> tuple[dict[str, Any], Any]:
        """Check the provider's inputs and configure it; return the checked inputs and the provider's features."""
        urn = "urn:pulumi:dev::web::pulumi:providers:stockade::default"
        checked = self.stub.CheckConfig(proto.CheckRequest(urn=urn, news=struct(inputs)))
        can = self.stub.Configure(proto.ConfigureRequest(args=checked.inputs, acceptSecrets=True))
        return plain(checked.inputs), can

    @staticmethod
    def urn(kind: str, name: str) -> str:
        """Return the URN of a resource."""
        return f"urn:pulumi:dev::web::stockade:index:{kind}::{name}"

    def check(self, urn: str, news: Mapping[str, Any], olds: Mapping[str, Any] | None = None) -> Any:
        """Check inputs: the checked inputs, and the failures."""
        answer = self.stub.Check(proto.CheckRequest(urn=urn, olds=struct(olds or {}), news=struct(news)))
        return plain(answer.inputs), [(one.property, one.reason) for one in answer.failures]

    def diff(self, urn: str, id_: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> Any:
        """Compare."""
        return self.stub.Diff(proto.DiffRequest(urn=urn, id=id_, olds=struct(olds), news=struct(news)))

    def create(self, urn: str, props: Mapping[str, Any], *, preview: bool = False) -> tuple[str, dict[str, Any]]:
        """Create: id and state."""
        answer = self.stub.Create(proto.CreateRequest(urn=urn, properties=struct(props), preview=preview))
        return answer.id, plain(answer.properties)

    def update(
        self, urn: str, id_: str, olds: Mapping[str, Any], news: Mapping[str, Any], *, preview: bool = False
    ) -> dict[str, Any]:
        """Update: the state."""
        request = proto.UpdateRequest(urn=urn, id=id_, olds=struct(olds), news=struct(news), preview=preview)
        return plain(self.stub.Update(request).properties)

    def read(self, urn: str, id_: str, state: Mapping[str, Any], inputs: Mapping[str, Any]) -> tuple[Any, Any]:
        """Refresh: state and inputs."""
        request = proto.ReadRequest(urn=urn, id=id_, properties=struct(state), inputs=struct(inputs))
        answer = self.stub.Read(request)
        return plain(answer.properties), plain(answer.inputs)

    def delete(self, urn: str, id_: str, state: Mapping[str, Any]) -> None:
        """Delete."""
        self.stub.Delete(proto.DeleteRequest(urn=urn, id=id_, properties=struct(state)))

    def schema(self) -> dict[str, Any]:
        """Return the provider's schema."""
        found: dict[str, Any] = json.loads(self.stub.GetSchema(proto.GetSchemaRequest()).schema)
        return found


@contextmanager
def served(folder: Path, plugin: Path = REPOSITORY / "plugin") -> Iterator[Engine]:
    """Run the plugin as Pulumi does, in the directory of a user's program."""
    argv = [sys.executable, str(plugin), "127.0.0.1:1"]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(argv, cwd=folder, env={**os.environ, "PYTHONPATH": ""}, **pipes) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            try:
                yield Engine(provider_pb2_grpc.ResourceProviderStub(channel), int(port))
            finally:
                process.terminate()
                assert process.wait(30) == 0

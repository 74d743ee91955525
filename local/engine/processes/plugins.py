"""Resource providers: their plugins, and their operations in the engine's terms."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import provider_pb2_grpc

from local.engine.processes.answers import (
    Diff,
    PartialFailureError,
    ProviderError,
    covers,
    detailed_replaces,
    provider_error,
    raise_failures,
)
from local.engine.processes.launch import DYNAMIC
from local.engine.processes.process import Process
from local.engine.state.state import Resource
from local.engine.state.values import PropertyMap, contains_unknown, from_struct, mark_secrets, reveal, to_struct

CHANNEL_OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.max_send_message_length", -1),
    # a partial failure carries all properties of the resource, such as files, in the error's metadata
    ("grpc.max_metadata_size", 400 * 1024 * 1024),
    ("grpc.absolute_max_metadata_size", 400 * 1024 * 1024),
]
CANCEL_LIMIT = 5.0


class Provider:
    """One running plugin process, configured for one provider resource."""

    def __init__(self, package: str, process: Process, show: Callable[[str], None]) -> None:
        self.package = package
        self._process = process
        self._show = show
        process.show_output(show, stdout=False)
        self._stub: Future[provider_pb2_grpc.ResourceProviderStub] = Future()
        self._configured: Future[pb.ConfigureResponse | None] = Future()
        threading.Thread(target=self._connect, daemon=True).start()

    def _connect(self) -> None:
        try:
            port = self._process.read_port()
            self._process.show_output(self._show, stderr=False)
            channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
            self._stub.set_result(provider_pb2_grpc.ResourceProviderStub(channel))
        except BaseException as error:
            self._stub.set_exception(error)

    def _call(self, method: str, request: Any, timeout: float | None = None) -> Any:
        try:
            return getattr(self._stub.result(), method)(request, timeout=timeout)
        except grpc.RpcError as error:
            raise provider_error(error) from None

    def _operate(
        self, method: str, request: Any, settings: pb.ConfigureResponse, outputs: PropertyMap, inputs: PropertyMap
    ) -> Any:
        """Make a call that may fail partially; `outputs` and `inputs` tell what is secret in the result."""
        try:
            return self._call(method, request)
        except PartialFailureError as error:
            raise error if settings.acceptSecrets else error.marked(outputs, inputs) from None

    def check_config(self, urn: str, olds: PropertyMap, news: PropertyMap) -> PropertyMap:
        """The provider's own inputs, checked, or unchanged if it does not check them."""
        request = pb.CheckRequest(
            urn=urn,
            olds=to_struct(olds, secrets=True),
            news=to_struct(news, secrets=True),
            name=_name(urn),
            type=_type(urn),
        )
        try:
            response = self._stub.result().CheckConfig(request)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNIMPLEMENTED or "not yet implemented" in str(error.details()):
                return news
            if error.code() == grpc.StatusCode.UNKNOWN and self.package == DYNAMIC:
                return news
            raise provider_error(error) from None
        raise_failures(response)
        return from_struct(response.inputs) if response.HasField("inputs") else news

    def configure(self, urn: str, inputs: PropertyMap, identity: str) -> None:
        """Send the provider its configuration, secrets included, in the background; operations wait for that."""

        def run() -> None:
            try:
                if contains_unknown(inputs):
                    self._configured.set_result(None)
                    return
                request = pb.ConfigureRequest(
                    urn=urn,
                    name=_name(urn),
                    type=_type(urn),
                    id=identity,
                    acceptSecrets=True,
                    acceptResources=True,
                    sends_old_inputs=True,
                    sends_old_inputs_to_delete=True,
                    args=to_struct(inputs, secrets=True),
                    variables={
                        f"{self.package}:config:{key}": _variable(reveal(value))
                        for key, value in inputs.items()
                        if key != "version"
                    },
                )
                self._configured.set_result(self._call("Configure", request))
            except BaseException as error:
                self._configured.set_exception(error)

        threading.Thread(target=run, daemon=True).start()

    def _settings(self) -> pb.ConfigureResponse | None:
        return self._configured.result()

    def _send(self, properties: PropertyMap, settings: pb.ConfigureResponse) -> Any:
        return to_struct(properties, secrets=settings.acceptSecrets, references=settings.acceptResources)

    def check(self, urn: str, olds: PropertyMap, news: PropertyMap) -> PropertyMap:
        """A resource's inputs with the provider's defaults; raises ProviderError naming each invalid property."""
        settings = self._settings()
        if settings is None:
            return news
        request = pb.CheckRequest(
            urn=urn,
            olds=self._send(olds, settings),
            news=self._send(news, settings),
            randomSeed=os.urandom(32),
            name=_name(urn),
            type=_type(urn),
        )
        response = self._call("Check", request)
        raise_failures(response)
        return self._received(response.inputs, news, settings)

    def _received(self, struct: Any, like: PropertyMap, settings: pb.ConfigureResponse) -> PropertyMap:
        properties = from_struct(struct)
        return properties if settings.acceptSecrets else mark_secrets(properties, like)

    def diff(self, old: Resource, inputs: PropertyMap, ignore: tuple[str, ...], replace: tuple[str, ...] = ()) -> Diff:
        """Whether and how new inputs change a resource.

        `ignore` and `replace` are the resource's `ignoreChanges` and `replaceOnChanges`.
        """
        settings = self._settings()
        if settings is None:
            return Diff(changed=True)
        request = pb.DiffRequest(
            id=old.id,
            urn=old.urn,
            old_inputs=self._send(old.inputs, settings),
            olds=self._send(old.outputs, settings),
            news=self._send(inputs, settings),
            ignoreChanges=ignore,
            name=old.name,
            type=old.type,
        )
        response = self._call("Diff", request)
        changed = (
            inputs != old.inputs
            if response.changes == pb.DiffResponse.DIFF_UNKNOWN
            else response.changes == pb.DiffResponse.DIFF_SOME
        )
        replaces = [*response.replaces, *detailed_replaces(response)]
        if changed:
            touched = [*response.diffs, *response.detailedDiff]
            replaces += [key for key in touched if any(covers(path, key) for path in replace)]
        return Diff(changed, tuple(dict.fromkeys(replaces)), response.deleteBeforeReplace)

    def create(self, new: Resource, preview: bool) -> tuple[str, PropertyMap]:
        """Create a resource; returns its ID and outputs."""
        settings = self._settings()
        if preview and (settings is None or not settings.supportsPreview):
            return "", {} if settings is None else new.inputs
        if settings is None:
            raise ProviderError("the provider's configuration is not known")
        request = pb.CreateRequest(
            urn=new.urn,
            properties=self._send(new.inputs, settings),
            preview=preview,
            timeout=new.custom_timeouts.get("create", 0),
            name=new.name,
            type=new.type,
        )
        try:
            response = self._operate("Create", request, settings, new.inputs, new.inputs)
        except PartialFailureError as error:
            if error.id:
                raise
            raise ProviderError(f"{error}\nplugin returned empty resource.ID from create '{new.urn}'") from None
        if not response.id and not preview:
            raise ProviderError(f"plugin returned empty resource.ID from create '{new.urn}'")
        return response.id, self._received(response.properties, new.inputs, settings)

    def update(self, old: Resource, new: Resource, preview: bool) -> PropertyMap:
        """Change a resource; returns its outputs."""
        settings = self._settings()
        if preview and (settings is None or not settings.supportsPreview):
            return {} if settings is None else new.inputs
        if settings is None:
            raise ProviderError("the provider's configuration is not known")
        request = pb.UpdateRequest(
            id=old.id,
            urn=old.urn,
            old_inputs=self._send(old.inputs, settings),
            olds=self._send(old.outputs, settings),
            news=self._send(new.inputs, settings),
            ignoreChanges=new.ignore_changes,
            preview=preview,
            timeout=new.custom_timeouts.get("update", 0),
            name=old.name,
            type=old.type,
        )
        response = self._operate("Update", request, settings, new.inputs, new.inputs)
        return self._received(response.properties, new.inputs, settings)

    def delete(self, old: Resource) -> None:
        """Delete a resource."""
        settings = self._settings()
        if settings is None:
            raise ProviderError("the provider's configuration is not known")
        request = pb.DeleteRequest(
            id=old.id,
            urn=old.urn,
            properties=self._send(old.outputs, settings),
            old_inputs=self._send(old.inputs, settings),
            timeout=old.custom_timeouts.get("delete", 0),
            name=old.name,
            type=old.type,
        )
        self._call("Delete", request)

    def read(self, old: Resource) -> tuple[str, PropertyMap, PropertyMap | None]:
        """The current ID (empty if the resource is gone), outputs, and inputs if the provider returned any."""
        settings = self._settings()
        if settings is None:
            raise ProviderError("the provider's configuration is not known")
        request = pb.ReadRequest(
            id=old.id,
            urn=old.urn,
            properties=self._send(old.outputs, settings),
            inputs=self._send(old.inputs, settings),
            timeout=old.custom_timeouts.get("read", 0),
            name=old.name,
            type=old.type,
        )
        response = self._operate("Read", request, settings, old.outputs, old.inputs)
        inputs = None
        if response.HasField("inputs"):
            inputs = self._received(response.inputs, old.inputs, settings)
        return response.id, self._received(response.properties, old.outputs, settings), inputs

    def construct(self, request: pb.ConstructRequest) -> pb.ConstructResponse:
        """Let the provider declare a component of its package."""
        if self._settings() is None:
            raise ProviderError("the provider's configuration is not known")
        response: pb.ConstructResponse = self._call("Construct", request)
        return response

    def invoke(self, token: str, arguments: PropertyMap) -> pb.InvokeResponse:
        """Call a function of the provider; unknown arguments are an error."""
        settings = self._settings()
        if settings is None or contains_unknown(arguments):
            raise ProviderError(f"the arguments of {token} are not known")
        response: pb.InvokeResponse = self._call(
            "Invoke", pb.InvokeRequest(tok=token, args=self._send(arguments, settings))
        )
        return response

    def cancel(self) -> None:
        """Ask the provider to end its operations, ignoring errors."""
        if not self._stub.done() or self._stub.exception():
            return
        try:
            self._stub.result().Cancel(Empty(), timeout=CANCEL_LIMIT)
        except grpc.RpcError:
            return

    def stop(self) -> None:
        """Tell the plugin that the run is over, as the CLI does, and end its process."""
        self.cancel()
        self._process.stop()


def _name(urn: str) -> str:
    return urn.split("::", 3)[3]


def _type(urn: str) -> str:
    return urn.split("::", 3)[2].rsplit("$", 1)[-1]


def _variable(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

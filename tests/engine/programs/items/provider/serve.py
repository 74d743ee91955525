"""The SDK's provider, which exits when the engine that started it does, because that closes its stdin.

If an item's property `partly` names an operation, it is carried out, but reported as a partial failure.
"""

import functools
import os
import runpy
import sys
import threading

import grpc
from google.protobuf.any_pb2 import Any
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2


def _watch() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _half_way(operation, response, context) -> None:
    detail = provider_pb2.ErrorResourceInitFailed(
        id=getattr(response, "id", ""),
        properties=response.properties,
        reasons=[f"{response.properties['name']}: {operation} came half-way"],
        inputs=getattr(response, "inputs", None),
    )
    packed = Any()
    packed.Pack(detail)
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message="half-way", details=[packed])
    context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
    context.abort(code, "half-way")


def _call(done, operation, request, context):
    response = done(request, context)
    if dict(response.properties).get("partly") == operation:
        _half_way(operation, response, context)
    return response


def _add(servicer, server) -> None:
    for operation in ("Create", "Update", "Read"):
        done = getattr(servicer, operation)
        setattr(servicer, operation, functools.partial(_call, done, operation.lower()))
    added(servicer, server)


sys.path[0] = os.getcwd()
added = provider_pb2_grpc.add_ResourceProviderServicer_to_server
provider_pb2_grpc.add_ResourceProviderServicer_to_server = _add
threading.Thread(target=_watch, daemon=True).start()
runpy.run_module("pulumi.dynamic", run_name="__main__")

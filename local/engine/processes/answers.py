"""What providers answer: failures, partial failures, differences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto.status_pb2 import Status

from local.engine.state.values import PropertyMap, from_struct, mark_secrets


class ProviderError(Exception):
    """An operation that the provider refused or failed; the text is the provider's."""


class PartialFailureError(ProviderError):
    """A resource that was created or changed incompletely; it goes into the state as it is."""

    def __init__(self, detail: pb.ErrorResourceInitFailed) -> None:
        super().__init__("\n".join(detail.reasons) or "resource init failed")
        self.id: str = detail.id
        self.outputs = from_struct(detail.properties)
        self.inputs = from_struct(detail.inputs) if detail.HasField("inputs") else None
        self.reasons = tuple(detail.reasons) or (str(self),)  # without a reason, the state would not show the failure

    def marked(self, outputs: PropertyMap, inputs: PropertyMap) -> PartialFailureError:
        """Mark as secret what is secret in `outputs` and `inputs`, for a provider that does not support secrets."""
        self.outputs = mark_secrets(self.outputs, outputs)
        self.inputs = None if self.inputs is None else mark_secrets(self.inputs, inputs)
        return self


@dataclass(frozen=True)
class Diff:
    """A provider's answer about a change."""

    changed: bool
    replace_keys: tuple[str, ...] = ()
    delete_before_replace: bool = False


def detailed_replaces(response: pb.DiffResponse) -> list[str]:
    kinds = (pb.PropertyDiff.ADD_REPLACE, pb.PropertyDiff.DELETE_REPLACE, pb.PropertyDiff.UPDATE_REPLACE)
    return [key for key, detail in response.detailedDiff.items() if detail.kind in kinds]


def covers(pattern: str, path: str) -> bool:
    """Whether a property path (`a.b[0]`) matches a pattern or is below it; parts of the pattern may be `*`."""
    wanted, given = _parts(pattern), _parts(path)
    return len(given) >= len(wanted) and all(part in ("*", other) for part, other in zip(wanted, given, strict=False))


def _parts(path: str) -> list[str]:
    return [part for part in re.split(r'[.\[\]"]+', path) if part]


def raise_failures(response: Any) -> None:
    if response.failures:
        raise ProviderError(
            "\n".join(f"{failure.property}: {failure.reason}" if failure.property else failure.reason
                      for failure in response.failures)
        )  # fmt: skip


def provider_error(error: grpc.RpcError) -> ProviderError:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                if detail.Is(pb.ErrorResourceInitFailed.DESCRIPTOR):
                    failed = pb.ErrorResourceInitFailed()
                    detail.Unpack(failed)
                    return PartialFailureError(failed)
    if error.code() == grpc.StatusCode.UNAVAILABLE:
        return ProviderError("the provider process has ended or does not answer")
    return ProviderError(str(error.details()))

"""What the engine keeps as the provider's own inputs, from run to run.

That is: the host settings of earlier configs, as one secret (components/config/former.py); the identifier of this
state; the interrupted operations of a killed run (interrupted.py).
"""

import os
from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import rpc

from components.config import former
from components.config.inventory import ENTRIES
from components.core import console
from components.core.claims import CLAIMS, called_for
from provider import interrupted
from provider.exported import UnreadableError
from provider.structs import properties, struct_of

LINEAGE = "lineage"
FORMER = "former"
INTERRUPTED = "interrupted"


class Kept:
    """What this process reads from it.

    `interrupted`: URNs of resources that may differ from the state. `meant`: what killed runs were to apply to them.
    """

    def __init__(self) -> None:
        self.former = former.Former()
        self.interrupted: frozenset[str] = frozenset()
        self.meant: dict[str, list[dict[str, Any]]] = {}

    def checked(self, request: Any) -> Struct:
        """Return the inputs to keep: those of the current config, and what former ones had in addition."""
        olds, news = _revealed(properties(request.olds)), _revealed(properties(request.news))
        CLAIMS.lineage = str(olds.get(LINEAGE) or "")
        stack = stack_of(request.urn)
        listed = former.listed_in(_entries(news), stack)
        now, before = former.reach(_entries(news), stack, listed), _known(olds, stack) if olds else ()
        kept = former.older(now, before)
        self.former = former.Former((now, *kept))
        inputs = Struct()
        inputs.CopyFrom(request.news)
        inputs.fields[LINEAGE].string_value = CLAIMS.lineage or token_hex(16)
        if listed or kept:
            secret = struct_of({FORMER: _secret(former.written(listed, kept))})
            inputs.fields[FORMER].CopyFrom(secret.fields[FORMER])
        marks = self._look(request.urn, interrupted.read(str(olds.get(INTERRUPTED) or "")))
        if marks:
            inputs.fields[INTERRUPTED].string_value = interrupted.written(marks)
        return inputs

    def configured(self, request: Any) -> dict[str, Any]:
        """Return the stack config from the inputs, in plain form, with secrets decrypted."""
        config = _revealed(rpc.deserialize_properties(request.args))
        CLAIMS.lineage = str(config.pop(LINEAGE, "") or CLAIMS.lineage)
        if FORMER in config:
            self.former = former.Former(_known(config, stack_of(request.urn)))
            del config[FORMER]
        config.pop(INTERRUPTED, None)
        return config

    def _look(self, urn: str, before: interrupted.Marks) -> interrupted.Marks:
        if not CLAIMS.lineage:  # no run of this stack has got this far
            return {}
        try:
            found = interrupted.look(stack_of(urn), CLAIMS.lineage, before, self.former.keys_of)
        except UnreadableError as error:
            with called_for(urn):
                console.warn(f"{_UNREADABLE} ({error})")
            found = interrupted.Interrupted(before, frozenset(before))
        self.interrupted |= found.urns
        self.meant |= found.meant
        return found.marks


_UNREADABLE = (
    "whether a run was interrupted is not known, since the state cannot be read. If one was, run `refresh` first"
)


def stack_of(urn: str) -> str:
    """Return the stack of a resource."""
    return urn.partition("::")[0].rpartition(":")[2]


def _revealed(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: rpc.unwrap_rpc_secret(value) for key, value in props.items()}


def _secret(value: str) -> dict[str, str]:
    """Return a value marked as secret, in the protocol's form."""
    return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}


def setting(name: str) -> str:
    """Return the key of an entry of the stack config."""
    return f"{os.environ.get('PULUMI_PROJECT', 'project')}:{name}"


def _entries(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the host settings in a stack config."""
    return {name: config.get(setting(name)) for name in ENTRIES}


def _known(config: Mapping[str, Any], stack: str) -> tuple[former.Config, ...]:
    """Return the host settings in the provider's own inputs, newest first."""
    listed, kept = former.read(str(config.get(FORMER) or ""))
    return (former.reach(_entries(config), stack, listed), *kept)

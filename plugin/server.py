"""The plugin: the provider of `provider/` for resources of the package, in any language.

A resource is identified by its type. Secrets stay marked, previews get values, and differences are reported by path.
Everything else is as in the dynamic shell.
"""

from contextlib import suppress
from functools import cache
from typing import Any

import grpc
from google.protobuf.struct_pb2 import Struct, Value
from pulumi import RunError
from pulumi.dynamic import ResourceProvider
from pulumi.runtime import proto, rpc
from pydantic import ValidationError

from components.config.inventory import ENTRIES
from components.core.dynamic import HostProvider
from components.core.served import packaged
from components.core.stored import has_unknown, inputs_of
from components.failure import Failure
from components.keys.files import KeyPairInputs
from hosts.text.masking import shortened
from plugin.detailed import detailed
from plugin.importing import Importing
from plugin.kinds import read_only, secret
from plugin.schema import KEY_PAIR_OUTPUTS, resources
from plugin.secrets import WAYS, Sealing, opened, tells_secrets
from provider.kept import setting
from provider.server import PROVIDER_KEY, Server, answering, started
from provider.structs import properties, struct_of

_SHOWN = frozenset({"observed", "declared", "applied", "earlier"})
"""Outputs that reveal inputs."""
NO_SUCH_HOST = "neither the provider's `hosts` (`stockade:hosts` of the config) has it, nor is there a `connection`"
_STRUCTS = ("olds", "news", "properties", "inputs", "old_inputs")


@cache
def _nature(name: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return a resource's inherently secret properties, those computed from its inputs, and those read on the host."""
    provider = resources()[name].served_by
    if not issubclass(provider, HostProvider):
        return secret(KeyPairInputs), frozenset(), frozenset(KEY_PAIR_OUTPUTS)
    inputs = provider.chapter.inputs
    return secret(inputs), _SHOWN | read_only(inputs), frozenset({"observed", "prior"})


def _name_of(urn: str) -> str:
    """Return the name of a resource's class."""
    return urn.split("::")[2].rpartition("$")[2].rpartition(":")[2]


class Plugin(Server):
    """Serves the resources of the package."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._importing = Importing()
        self._hosts_known = False

    def CheckConfig(self, request: Any, context: Any) -> Any:
        """Adapt the request for the dynamic shell, whose provider reads the stack config under the project's name."""
        news, paths = opened(request.news)
        olds, _ = opened(request.olds)
        response = super().CheckConfig(
            proto.CheckRequest(urn=request.urn, olds=_as_settings(olds), news=_as_settings(news)), context
        )
        inputs = Struct()
        for name, value in response.inputs.fields.items():
            inputs.fields[name.rpartition(":")[2]].CopyFrom(value)
        logins = {
            (name,) for name, value in inputs.fields.items() if name in WAYS and tells_secrets(value.string_value)
        }
        return proto.CheckResponse(inputs=Sealing(paths | logins).seal(inputs))

    def DiffConfig(self, request: Any, _context: Any) -> Any:
        """No change in how hosts are reached replaces a resource."""
        (olds, _), (news, _) = opened(request.olds), opened(request.news)
        same = properties(olds) == properties(news)
        return proto.DiffResponse(
            changes=proto.DiffResponse.DIFF_NONE if same else proto.DiffResponse.DIFF_SOME,
            diffs=[name for name in {*olds.fields, *news.fields} if olds.fields[name] != news.fields[name]],
        )

    def Configure(self, request: Any, context: Any) -> Any:
        args, _ = opened(request.args)
        self._hosts_known = True
        for name in ENTRIES:  # in a preview, unknown values are left out
            if name in args.fields and has_unknown(properties(Struct(fields={name: args.fields[name]}))):
                del args.fields[name]
                self._hosts_known = False
        super().Configure(proto.ConfigureRequest(args=_as_settings(args)), context)
        return proto.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    def Check(self, request: Any, context: Any) -> Any:
        taken = self._taken(request, "news")
        response = super().Check(taken, context)
        failures = [*response.failures, *self._unreachable(taken)]
        return proto.CheckResponse(inputs=self._kept(response.inputs), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:
        taken = self._taken(request, "news")
        response = super().Diff(taken, context)
        if response.changes == proto.DiffResponse.DIFF_SOME:
            olds, news = (inputs_of(properties(struct)) for struct in (taken.olds, taken.news))
            found = detailed(olds, news, response.replaces)
            response.diffs.extend(
                sorted({*(name for name in news if olds.get(name) != news[name]), *olds.keys() - news})
            )
            response.hasDetailedDiff = bool(found)
            for path, difference in found.items():
                response.detailedDiff[path].CopyFrom(difference)
        return response

    def Create(self, request: Any, context: Any) -> Any:
        taken = self._taken(request, "properties")
        if request.preview:
            return proto.CreateResponse(properties=self._foreseen(taken.urn, taken.properties))
        response = super().Create(taken, context)
        return proto.CreateResponse(id=response.id, properties=self._kept(response.properties))

    def Update(self, request: Any, context: Any) -> Any:
        taken = self._taken(request, "news")
        if request.preview:
            return proto.UpdateResponse(properties=self._foreseen(taken.urn, taken.news))
        return proto.UpdateResponse(properties=self._kept(super().Update(taken, context).properties))

    def Read(self, request: Any, context: Any) -> Any:
        if not request.inputs.fields:  # `pulumi import`, the option `import`, or `get`
            response = self._import(request, context)
        else:
            response = super().Read(self._taken(request, "properties", "inputs"), context)
            if "imported" in request.properties.fields:  # the state has no defaults among the inputs before an `up`
                for name in {*response.inputs.fields} - {*request.inputs.fields, PROVIDER_KEY}:
                    if response.inputs.fields[name] == request.properties.fields[name]:
                        del response.inputs.fields[name]
        return proto.ReadResponse(
            id=response.id, properties=self._kept(response.properties), inputs=self._kept(response.inputs)
        )

    def Delete(self, request: Any, context: Any) -> Any:
        return super().Delete(self._taken(request), context)

    def Construct(self, request: Any, context: Any) -> Any:
        """Construct a component for a program in another language."""
        from plugin.construct import construct

        config = {name: self._config.get(setting(name)) for name in ENTRIES}
        try:
            return construct(request, context, self._engine, config)
        except RunError as error:
            context.abort(grpc.StatusCode.UNKNOWN, shortened(str(error)))

    @answering
    def _import(self, request: Any) -> Any:
        reference = Struct()
        reference.fields[PROVIDER_KEY].string_value = _name_of(request.urn)
        provider: Any = self._provider(request, reference)
        request.ClearField("properties")
        self._taken(request)
        imports = self._importing.has(request.urn)
        result = provider.take(request.id, record=imports, refuse=imports or self._importing.commanded())
        if not result.id:
            return proto.ReadResponse()
        return proto.ReadResponse(
            id=result.id, properties=struct_of(result.outs or {}), inputs=struct_of(result.inputs or {})
        )

    def _load(self, reference: str) -> ResourceProvider:
        if reference not in resources():
            raise Failure(f"{reference}: the package has no such resource, and a component has nothing to import")
        return resources()[reference].served_by()

    def _unreachable(self, request: Any) -> list[Any]:
        """Return what is wrong with the host of a resource that would be created: nothing says how to reach it."""
        old, new = request.olds.fields["host"].string_value, request.news.fields["host"].string_value
        provider = self._provider(request, request.news)
        if new in {old, rpc.UNKNOWN} or not self._hosts_known or not isinstance(provider, HostProvider):
            return []
        with suppress(Failure, ValidationError):  # the operation itself will report it
            if "connection" not in request.news.fields and not provider.knows(new):
                return [proto.CheckFailure(property="host", reason=NO_SUCH_HOST)]
        return []

    def _taken(self, request: Any, *answered: str) -> Any:
        """Convert a request to the dynamic shell's form; secrets in the properties `answered` stay marked."""
        name, out, paths = _name_of(request.urn), type(request)(), frozenset[Any]()
        out.CopyFrom(request)
        for field in _STRUCTS:
            if field not in request.DESCRIPTOR.fields_by_name or not getattr(request, field).fields:
                continue
            plain, found = opened(getattr(request, field))
            plain.fields[PROVIDER_KEY].string_value = name
            getattr(out, field).CopyFrom(plain)
            paths |= found if field in answered else frozenset()
        named, derived, _ = _nature(name)
        self._thread.sealing = Sealing(paths, named, derived)
        return out

    def _kept(self, struct: Any) -> Any:
        sealing: Sealing = self._thread.sealing
        return sealing.seal(struct)

    def _foreseen(self, urn: str, inputs: Any) -> Any:
        """Return the expected outputs before a change, as far as they are known."""
        out = Struct()
        out.CopyFrom(inputs)
        for name in _nature(_name_of(urn))[2]:
            out.fields[name].CopyFrom(Value(string_value=rpc.UNKNOWN))
        return self._kept(out)


def _as_settings(struct: Any) -> Any:
    """Return the provider's inputs in the form of a stack config of this repository."""
    out = Struct()
    for name, value in struct.fields.items():
        out.fields[setting(name) if name in ENTRIES else name].CopyFrom(value)
    return out


def plugin() -> Plugin:
    """Return the plugin of this process."""
    packaged()
    return started(Plugin)

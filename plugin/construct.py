"""Components for programs in any language: those of `components/`, declared from here on their behalf."""

import asyncio
import json
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pulumi import ComponentResource, CustomTimeouts, Output, ResourceOptions, RunError, log
from pulumi.provider import ConstructResult, Provider
from pulumi.provider.server import ProviderServicer
from pulumi.resource import DependencyResource
from pulumi.runtime import proto
from pydantic import ValidationError

from components.config.inventory import ENTRIES, Settings
from components.core.served import type_of
from components.core.stored import has_unknown
from hosts.ssh.connection import SECRET_FIELDS
from plugin.schema import CHAPTERS
from plugin.secrets import Path, marks, opened
from provider.structs import properties

log.debug = lambda *_args, **_options: None
"""The SDK sends several such messages for each resource, each in a call of its own to the engine, which shows none."""
_one_at_a_time = threading.Lock()
"""Declaring a host temporarily changes process-wide state (`components/core/positions.py`)."""


class _Components(Provider):
    """The SDK's interface for components. `given`: the inputs. `before`: URNs of the resources they depend on.
    `timeouts`: `customTimeouts`, which the SDK reads and drops."""

    def __init__(self, given: Any, before: Sequence[str], timeouts: CustomTimeouts | None = None) -> None:
        super().__init__("")
        self._timeouts = timeouts
        plain, self._secret = opened(given)
        self._inputs, self._before = properties(plain), before
        self._marks = sorted(path for name, value in given.fields.items() for path in marks(value, (name,)))

    def construct(
        self, name: str, resource_type: str, inputs: Any, options: ResourceOptions | None = None
    ) -> ConstructResult:
        """Declare the component and all its children. Raises `RunError` if the inputs are invalid."""
        del inputs
        kinds = {type_of("HardenedHost"): self._host, type_of("Firewall"): self._firewall}
        if resource_type not in kinds:
            raise RunError(f"{resource_type}: the package has no such component")
        before = [DependencyResource(urn) for urn in self._before]  # they need the event loop
        opts = ResourceOptions.merge(options, ResourceOptions(depends_on=before, custom_timeouts=self._timeouts))
        with _one_at_a_time:
            return kinds[resource_type](name, opts)

    def _host(self, name: str, opts: ResourceOptions) -> ConstructResult:
        from components.host import HardenedHost  # its dependencies are imported while the engine is still starting

        host = HardenedHost(
            name,
            self._connection(),
            self._wanted(name),
            keys=[_live(key, ("keys",), self._secret) for key in self._inputs.get("keys", ())],
            existing=self._inputs.get("existing", "adopt"),
            opts=opts,
        )
        return ConstructResult(host.urn, {"enforced": host.enforced})

    def _wanted(self, name: str) -> Any:
        from components.registry import Hardening

        owner = f'HardenedHost("{name}")'
        known, late = self._settings(owner, CHAPTERS)
        if late:
            log.warn(f"{name}: not known before the run, so not in this preview: {', '.join(late)}")
        return _validated(owner, Hardening, known) if known or late else None

    def _firewall(self, name: str, opts: ResourceOptions) -> ConstructResult:
        from components.firewall.resource import Firewall
        from components.firewall.settings import FirewallSettings

        owner = f'Firewall("{name}")'
        known, late = self._settings(owner, self._inputs.keys() - {"connection", "existing"})
        if late:
            log.warn(f"{name}: not known before the run, so the firewall is not in this preview: {', '.join(late)}")
            return ConstructResult(ComponentResource(type_of("Firewall"), name, {}, opts).urn, {})
        host, ssh_ports = known.pop("host"), known.pop("sshPorts", ())
        firewall = Firewall(
            name,
            host,
            _validated(owner, FirewallSettings, known),
            connection=self._connection(),
            existing=self._inputs.get("existing", "adopt"),
            ssh_ports=ssh_ports,
            opts=opts,
        )
        outputs = {"ipv4": firewall.ipv4, "ipv6": firewall.ipv6, "enforced": firewall.enforced}
        return ConstructResult(firewall.urn, outputs)

    def _connection(self) -> Any:
        given = self._inputs.get("connection")
        return None if given is None else _live(given, ("connection",), self._secret)

    def _settings(self, owner: str, names: Collection[str]) -> tuple[dict[str, Any], list[str]]:
        """Return those of the named inputs that are known, and the names of the others."""
        given = {name: value for name, value in self._inputs.items() if name in names}
        for path in self._marks:
            whole_user = path[0] == "users" and len(path) < 3  # a user's password makes the whole user secret
            if path[0] in given and path[-1] not in SECRET_FIELDS and not whole_user:
                place = ".".join(path)
                raise RunError(f"{owner}: {place} must not be a secret: what is made from it would be in plain text")
        late = sorted(name for name, value in given.items() if has_unknown(value))
        return {name: _whole(value) for name, value in given.items() if name not in late}, late


def _validated(owner: str, model: type[Settings], given: Mapping[str, Any]) -> Any:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        places = (f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}" for one in found)
        raise RunError("\n  ".join((f"{owner}:", *places))) from None


def construct(request: Any, context: Any, engine: str, config: Mapping[str, Any]) -> Any:
    """Declare a component for a program. `config`: the provider's inputs, by their names in a stack config."""
    urns = sorted({urn for found in request.inputDependencies.values() for urn in found.urns})
    components = _Components(request.inputs, urns, _timeouts(request.customTimeouts))
    asked = proto.ConstructRequest()
    asked.CopyFrom(request)
    asked.ClearField("inputs")
    asked.ClearField("inputDependencies")
    for name in ENTRIES:  # hosts come from the provider, whatever the program's own config has under these names
        key = f"{request.project}:{name}"
        asked.config.pop(key, None)
        value = config.get(name)
        if value is not None:
            asked.config[key] = value if isinstance(value, str) else json.dumps(value)
    servicer = ProviderServicer(components, [], engine)
    return asyncio.run(servicer.Construct(asked, context))


def _timeouts(given: Any) -> CustomTimeouts | None:
    """Return `customTimeouts` of a request; None if there are none."""
    named = {name: getattr(given, name) or None for name in ("create", "update", "delete")}
    return CustomTimeouts(**named) if any(named.values()) else None


def _live(value: Any, path: Path, secret: frozenset[Path]) -> Any:
    """Return a value as in a program: unknown and secret parts are Outputs."""
    if isinstance(value, Mapping) and path not in secret:
        return {key: _live(item, (*path, key), secret) for key, item in value.items()}
    if path in secret and path[-1] not in SECRET_FIELDS:
        return Output.secret(value)
    return Output.from_input(value) if has_unknown(value) else _whole(value)


def _whole(value: Any) -> Any:
    """Return integral floats as integers: the protocol only has floats."""
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value

"""What the resources of all chapters have in common: credentials among their inputs are Pulumi secrets."""

from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions
from pulumi.dynamic import Resource, ResourceProvider
from pydantic.alias_generators import to_camel

from hosts.ssh.connection import SECRET_FIELDS


class HostResource(Resource):
    """A resource about one host.

    What is secret in its `connection` becomes a Pulumi secret, wherever it came from and however deep it stands.
    """

    def __init__(
        self, provider: ResourceProvider, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None
    ) -> None:
        way = props.get("connection")
        super().__init__(provider, name, {**props, "connection": sealed(way)} if way is not None else {**props}, opts)


def sealed(value: Any) -> Any:
    """Return what is given of a connection, with what is secret in it as Pulumi secrets.

    Values may be Outputs at any depth; one that turns out to hold something secret is a secret as a whole.
    """
    if isinstance(value, Output):
        return value.apply(lambda known: Output.secret(known) if _holds_secrets(known) else known)
    if isinstance(value, Mapping):
        return {key: Output.secret(item) if _is_secret(key, item) else sealed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [sealed(item) for item in value]
    return value


def _is_secret(key: str, value: Any) -> bool:
    return value is not None and to_camel(str(key)) in SECRET_FIELDS


def _holds_secrets(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_secrets, value))
    if not isinstance(value, Mapping):
        return False
    return any(_is_secret(key, item) or _holds_secrets(item) for key, item in value.items())

"""Marks the secrets in a connection as Pulumi secrets."""

from collections.abc import Mapping
from typing import Any

from pulumi import Output
from pydantic.alias_generators import to_camel

from hosts.ssh.connection import SECRET_FIELDS


def sealed(value: Any) -> Any:
    """Return a connection with its secrets marked as Pulumi secrets.

    Values may be Outputs at any depth. An Output that contains a secret becomes secret as a whole.
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

"""The resources of this project, found in the code: what users import, and what their states refer to."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pulumi import ComponentResource
from pulumi.dynamic import Resource, ResourceProvider

from components.core.dynamic import HostProvider
from provider.reference import OWN

COMPONENTS = Path(__file__).parents[1] / "components"
_TOKEN = re.compile(r'super\(\).__init__\("(stockade:index:\w+)"')


@dataclass(frozen=True)
class Kind:
    """One kind of resource; `provider` is None for a component, which has none."""

    class_: type[Resource] | type[ComponentResource]
    token: str
    provider: type[ResourceProvider] | None

    @property
    def path(self) -> str:
        """Its import path."""
        return f"{self.class_.__module__}.{self.class_.__name__}"


def dynamic() -> list[Kind]:
    """Return the resources with a provider, by name."""
    found = [kind for module in sorted(OWN) for kind in _of_module(module)]
    return sorted(found, key=lambda kind: kind.token)


def _of_module(name: str) -> Iterator[Kind]:
    own = [value for value in vars(importlib.import_module(name)).values() if getattr(value, "__module__", "") == name]
    providers = [value for value in own if isinstance(value, type) and issubclass(value, ResourceProvider)]
    for class_ in own:
        if isinstance(class_, type) and issubclass(class_, Resource):
            (provider,) = providers
            yield Kind(class_, f"pulumi-python:{class_._resource_type_name}", provider)


def components() -> list[Kind]:
    """Return the components, by name."""
    found = []
    for file in COMPONENTS.rglob("*.py"):
        for token in _TOKEN.findall(file.read_text("utf-8")):
            path = ".".join(("components", *file.relative_to(COMPONENTS).with_suffix("").parts))
            found.append(Kind(getattr(importlib.import_module(path), token.rpartition(":")[2]), token, None))
    return sorted(found, key=lambda kind: kind.token)


def table() -> Iterator[str]:
    """Yield the lines of the table in docs/architecture.md."""
    yield "| resource | type in the state | provider in the state |"
    yield "|---|---|---|"
    for kind in (*components(), *dynamic()):
        provider = f"`{kind.provider.__name__}` of the same module" if kind.provider else "none: a component"
        yield f"| `{kind.path}` | `{kind.token}` | {provider} |"


def of_hosts() -> dict[str, type[HostProvider]]:  # type: ignore[type-arg]
    """Return the providers of resources on hosts, by resource type."""
    return {
        kind.token: kind.provider for kind in dynamic() if kind.provider and issubclass(kind.provider, HostProvider)
    }

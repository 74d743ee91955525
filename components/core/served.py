"""Base class of this project's resources, registered once for both shells.

In a program of this repository, Pulumi's dynamic provider runs the class that the resource names (`provider/`). In the
package it is a custom resource of the plugin (`plugin/`), which finds the class by type.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from pulumi import Alias, CustomResource, ResourceOptions
from pulumi.dynamic import Resource, ResourceProvider

PACKAGE = "stockade"
RESOURCES: dict[str, type["Served"]] = {}
"""All of them whose modules are loaded, by name."""
_packaged = [False]


def packaged() -> None:
    """From now on, declare the package's resources: this process belongs to the plugin."""
    _packaged[0] = True


def is_packaged() -> bool:
    """Return whether `packaged` was called."""
    return _packaged[0]


def type_of(name: str) -> str:
    """Return the type of a resource or component in the package."""
    return f"{PACKAGE}:index:{name}"


def dynamic_type_of(name: str) -> str:
    """Return the resource's type in states of the dynamic shell."""
    return f"pulumi-python:dynamic/{PACKAGE}:{name}"


class Served(Resource):
    """Base class of all resources; `class Sysctl(..., provider=SysctlProvider)` registers one."""

    served_by: ClassVar[type[ResourceProvider]]

    def __init_subclass__(cls, provider: type[ResourceProvider] | None = None, **others: Any) -> None:
        """Register a resource under its class name, unless it is a base class."""
        super().__init_subclass__(**{"module": PACKAGE, "name": cls.__name__, **others})
        if provider is not None:
            cls.served_by = provider
            RESOURCES[cls.__name__] = cls

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        if not _packaged[0]:
            super().__init__(self.served_by(), name, {**props}, opts)
            return
        own = type(self).__name__
        moved = ResourceOptions(aliases=[Alias(type_=dynamic_type_of(own))])
        CustomResource.__init__(self, type_of(own), name, {**props}, ResourceOptions.merge(opts, moved))

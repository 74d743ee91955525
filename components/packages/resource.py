"""Packages to install and to remove on one host, in one transaction. Delete undoes both.

Sources: the guide, "Configure a Firewall" (`apt-get install iptables-persistent`) and "Uninstall the Listening
Services" (`apt-get purge package_name`).
"""

from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions
from pulumi.dynamic import CheckResult, DiffResult, UpdateResult

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.core.stored import has_unknown
from components.packages.chapter import PackageChapter
from components.packages.settings import PackageFacts, PackageInputs

_ANY = "*"
"""Stands for all names in `dropped`."""


class PackagesProvider(HostProvider[PackageInputs, PackageFacts]):
    """Pulumi's CRUD for `Packages`."""

    chapter = PackageChapter()

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate the inputs as in every chapter, and count the packages that are no longer declared."""
        result = super().check(_olds, news)
        before, now = _olds.get("present") or (), result.inputs.get("present") or ()
        if result.failures or has_unknown([before, now]):
            return result
        dropped = {name: int(times) for name, times in (_olds.get("dropped") or {}).items()}
        for name in set(before) - set(now):
            dropped[name] = dropped.get(name, 0) + 1
        return CheckResult({**result.inputs, "dropped": dict(sorted(dropped.items()))}, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare what depends only on the declarations."""
        known = {name: times for name, times in (_olds.get("dropped") or {}).items() if name != _ANY}
        return super().diff(_id, {**_olds, "dropped": known} if "dropped" in _olds else _olds, _news)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Also count a failed change that removed packages: the previous state has no other trace of it."""
        result = super().update(_id, _olds, _news)
        failed = int((_olds.get("dropped") or {}).get(_ANY, 0)) + bool(_olds.get("unfinished"))
        outs = result.outs or {}
        return UpdateResult({**outs, "dropped": {_ANY: failed, **outs["dropped"]}}) if failed else result


class Packages(HostResource, provider=PackagesProvider):
    """Packages on one host.

    Properties: `host` (str), `connection`, `present`, `absent` (lists of package names), `unstarted` (list of
    services), `group` (str), `takeOver` (bool), `lockTimeout` (seconds).

    Outputs: `observed`: `installed` (versions by name), `removed`, `ours`. `dropped`: how often each package
    ceased to be declared.
    """

    observed: Output[dict[str, Any] | None]
    dropped: Output[dict[str, Any] | None]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(name, {"observed": None, "dropped": None, **props}, opts)

    def triggers_for(self, *names: str) -> Output[list[str] | None]:
        """Return the `triggers` for a resource that configures these packages; they change once one was removed.

        A removed package takes its configuration with it. If a run ends between the package and its chapter, and the
        chapter is declared again, nothing else shows that its settings are no longer in force.
        """

        def texts(times: dict[str, Any] | None) -> list[str] | None:
            return [f"{name} {int(times[name])}" for name in (_ANY, *names) if name in times] or None if times else None

        return self.dropped.apply(texts)

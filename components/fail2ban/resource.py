"""`Fail2Ban`: bans addresses after too many failed logins; what a program declares, and what Pulumi runs."""

from collections.abc import Mapping
from typing import Any, Literal

from pulumi import ComponentResource, Input, Output, ResourceOptions

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.core.waiting import waiting
from components.fail2ban.chapter import JailsChapter
from components.fail2ban.jails import jails_in
from components.fail2ban.settings import PACKAGES, STARTED_HERE, Fail2BanSettings, JailsFacts, JailsInputs
from components.packages.resource import Packages


class JailsProvider(HostProvider[JailsInputs, JailsFacts]):
    """Pulumi's CRUD for `Fail2BanJails`."""

    chapter = JailsChapter()


class Fail2BanJails(HostResource, module="stockade", name="Fail2BanJails"):
    """Fail2Ban's jails on one host; fail2ban must be installed. Properties: those of `JailsInputs`."""

    config: Output[str]
    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(JailsProvider(), name, {**props, "observed": None}, opts)


class Fail2Ban(ComponentResource):
    """Fail2Ban on one host, installed and running.

    Args:
        name: of the component.
        host: the host's name in the stack config.
        settings: jails and their limits; by default sshd's, with fail2ban's own limits.
        connection: how to reach the host, where the stack config does not say.
        existing: `adopt` a configuration that is there already (delete puts it back) or `fail`.
        packages: what installs `PACKAGES`; None: the component brings its own.
        opts: resource options.

    Outputs: `enforced`, one line for each jail.
    """

    enforced: Output[dict[str, str]]

    def __init__(
        self,
        name: str,
        host: str,
        settings: Fail2BanSettings | None = None,
        *,
        connection: Mapping[str, Input[Any]] | None = None,
        existing: Literal["adopt", "fail", "takeOver"] = "adopt",
        packages: Packages | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        opts, before = waiting(opts)
        super().__init__("stockade:index:Fail2Ban", name, {}, opts)
        settings = settings or Fail2BanSettings()
        retain = opts.retain_on_delete if opts else None
        common: dict[str, Any] = {"host": host, "connection": connection}
        if packages is None:
            child = ResourceOptions(parent=self, depends_on=before, retain_on_delete=retain)
            wanted = {**common, "present": PACKAGES, "unstarted": STARTED_HERE}
            packages = Packages(f"{name}-fail2ban-packages", wanted, child)
        child = ResourceOptions(parent=self, depends_on=[*before, packages], retain_on_delete=retain)
        common |= {"existing": existing, "triggers": packages.came_back(*PACKAGES)}
        jails = Fail2BanJails(name, {**common, **settings.props()}, child)
        self.enforced = jails.config.apply(lambda text: _in_words(text) if settings.enabled else {})
        self.register_outputs({"enforced": self.enforced})


def _in_words(text: str) -> dict[str, str]:
    return {
        name: f"{jail.value('maxretry')} failures in {jail.value('findtime')}: banned for {jail.value('bantime')}"
        for name, jail in jails_in(text).items()
        if jail.enabled
    }

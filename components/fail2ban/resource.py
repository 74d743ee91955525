"""`Fail2Ban`: bans addresses after too many failed logins, as a resource."""

from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.fail2ban.chapter import Fail2BanChapter
from components.fail2ban.settings import Fail2BanFacts, Fail2BanInputs


class Fail2BanProvider(HostProvider[Fail2BanInputs, Fail2BanFacts]):
    """Pulumi's CRUD for `Fail2Ban`."""

    chapter = Fail2BanChapter()


class Fail2Ban(HostResource, provider=Fail2BanProvider):
    """Fail2Ban's jails on one host, where `PACKAGES` are installed. Properties: those of `Fail2BanInputs`."""

    config: Output[str]
    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(name, {**props, "observed": None}, opts)

"""`KeptFirewall`: the rules of ufw or firewalld on one host, as a resource."""

from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.firewall.kept.chapter import KeptChapter, KeptFacts, KeptInputs


class KeptFirewallProvider(HostProvider[KeptInputs, KeptFacts]):
    """Pulumi's CRUD for `KeptFirewall`."""

    chapter = KeptChapter()


class KeptFirewall(HostResource, provider=KeptFirewallProvider):
    """The rules of ufw or firewalld on one host. Properties: those of `KeptInputs`. Output: `observed`."""

    program: Output[str]
    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(name, {**props, "observed": None}, opts)

"""`AddressPreference`: names are tried over IPv4 first, for a host that denies IPv6.

Without it, apt and other programs wait for each IPv6 attempt to fail. Source: the guide, "Configure a Firewall":
"uncomment the line `precedence ::ffff:0:0/96 100` in /etc/gai.conf"; gai.conf(5), RFC 6724.
"""

from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.gai.chapter import PreferenceChapter
from components.gai.settings import PreferenceFacts, PreferenceInputs


class AddressPreferenceProvider(HostProvider[PreferenceInputs, PreferenceFacts]):
    """Pulumi's CRUD for `AddressPreference`."""

    chapter = PreferenceChapter()


class AddressPreference(HostResource, provider=AddressPreferenceProvider):
    """Makes one host try a name's IPv4 addresses first. Properties: those of `PreferenceInputs`."""

    ipv4_first: Output[bool]
    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(name, {**props, "observed": None}, opts)

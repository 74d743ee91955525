"""`Listeners`: what listens on a host, compared with the services that the stack expects.

Source: the guide, "Remove Unused Network-Facing Services": `sudo netstat -tulpn`, and after the purge "You should now
only see listening services for SSH (sshd) and NTP".
"""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import Output, ResourceOptions

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.listeners.chapter import ListenerChapter
from components.listeners.settings import ListenerFacts, ListenerInputs, complaint


class ListenersProvider(HostProvider[ListenerInputs, ListenerFacts]):
    """Pulumi's CRUD for `Listeners`."""

    chapter = ListenerChapter()


class Listeners(HostResource, provider=ListenersProvider):
    """The listeners of one host, and which of them are unexpected.

    Properties: `host` (str), `connection`, `expected` (list of str), `unexpected` (`warn` or `fail`), `loopback`
    (bool), `triggers` (list of str). It must run after packages are removed: use `depends_on`.

    Outputs: `observed`: `listening`, `unexpected`, `loopback`, each a list of texts.
    """

    observed: Output[dict[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(name, {"observed": None, **props}, opts)
        self.observed.apply(self._warn)

    def _warn(self, observed: Mapping[str, Any] | None) -> None:
        unexpected = (observed or {}).get("unexpected")
        if unexpected:
            pulumi.log.warn(complaint(unexpected), self)

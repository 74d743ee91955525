"""`TimeSync`: which daemon sets a host's clock. The guide offers OpenNTPD instead of ntpd.

Source: the guide, "Determine Which Services to Remove": "If you prefer a time synchronization method which does not
hold open network ports [...] you may be interested in replacing NTPdate with OpenNTPD".
"""

from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.timesync.chapter import TimeSyncChapter
from components.timesync.settings import TimeSyncFacts, TimeSyncInputs


class TimeSyncProvider(HostProvider[TimeSyncInputs, TimeSyncFacts]):
    """Pulumi's CRUD for `TimeSync`."""

    chapter = TimeSyncChapter()


class TimeSync(HostResource, provider=TimeSyncProvider):
    """A time daemon on one host, where its package is installed. Properties: those of `TimeSyncInputs`."""

    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(name, {"observed": None, **props}, opts)

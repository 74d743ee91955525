"""The time daemon of a `HardenedHost`."""

from components.core.composition import Composition, Needs, RegisteredChapter
from components.timesync.resource import TimeSync
from components.timesync.settings import TimeSyncSettings


def needs(settings: TimeSyncSettings) -> Needs:
    """Return the daemon's package as needed, and those of other daemons as unwanted."""
    present, absent = settings.packages()
    return Needs(tuple(present), tuple(absent))


def declare(host: Composition, settings: TimeSyncSettings) -> None:
    """Declare the daemon, unless the existing one is kept."""
    if settings.daemon == "keep":
        return
    props = host.props(settings.props()) | {"triggers": host.configures(settings.daemon)}
    host.add("time_sync", TimeSync(host.name, props, host.after("packages", "users")))


TIME_SYNC = RegisteredChapter(declare, needs)

"""What listens on a `HardenedHost`."""

from collections.abc import Mapping
from typing import Any

from pulumi import Input

from components.core.composition import Composition, RegisteredChapter
from components.listeners.resource import Listeners
from components.listeners.settings import ListenerSettings
from components.packages.hardened import packages_now


def declare(host: Composition, settings: ListenerSettings) -> None:
    """Declare the check, after everything else is in force."""
    changed: Input[list[str]] = host.packages.observed.apply(packages_now) if host.packages else []
    props = host.props({**settings.props(), "triggers": changed}, existing=False)
    opts = host.after("packages", "users", "firewall", "sshd", "time_sync")
    looked = Listeners(host.name, props, opts)
    host.enforced["listeners"] = looked.observed.apply(_listening)
    host.add("listeners", looked)


def _listening(observed: Mapping[str, Any] | None) -> list[str] | None:
    """Return what listens, loopback last."""
    return [*observed["listening"], *observed["loopback"]] if observed else None


LISTENERS = RegisteredChapter(declare)

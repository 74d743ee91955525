"""The packages of a `HardenedHost`: what all its chapters need, in one transaction."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from components.config.inventory import Settings
from components.core.composition import Composition, Needs
from components.packages.resource import Packages


class PackageSettings(Settings):
    """Packages besides those that the chapters need."""

    present: tuple[str, ...] = Field((), description="Packages to install.")
    absent: tuple[str, ...] = Field(
        (), description="Packages to remove, with their configuration; delete restores both."
    )
    without: tuple[str, ...] = Field(
        (), description="Packages that chapters need, but that are not installed: the host does without them."
    )


def packages_needed(settings: PackageSettings) -> Needs:
    """Return the packages that are declared directly."""
    return Needs(settings.present, settings.absent)


def declare_packages(host: Composition, needs: Needs) -> None:
    """Declare the transaction, which comes before everything else.

    A host that is adopted as it is and needs none does without: its packages may be another stack's.
    """
    if host.as_is and not (needs.present or needs.absent):
        return
    packages = Packages(host.name, host.props(needs.props(), existing=False), host.after())
    host.enforced["packages"] = packages.observed.apply(_installed_and_removed)
    host.add("packages", packages)


def packages_now(observed: Mapping[str, Any] | None) -> list[str]:
    """Return which of the declared packages are installed and what was removed. If that changes, listeners may change
    too."""
    seen = observed or {}
    there = (f"{name} {version}" for name, version in seen.get("installed", {}).items())
    gone = (f"no {entry.partition('=')[0]}" for entry in seen.get("removed", ()))
    return sorted({*there, *gone})


def _installed_and_removed(observed: Mapping[str, Any] | None) -> dict[str, list[str]] | None:
    """Return what was installed because it is declared, and what was actually removed."""
    if not observed:
        return None
    return {"installed": observed["ours"], "removed": [entry.partition("=")[0] for entry in observed["removed"]]}

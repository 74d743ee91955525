"""The registry of chapters: each is a field of `Hardening`, and everything else is derived from that.

This includes the stack config and its schema, per-host settings, the packages of a host, and what `HardenedHost`
declares, in the order of the fields. docs/contributing.md explains how to add a chapter.
"""

from functools import reduce
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model

from components.config.inventory import HostEntry, Settings, camel, plain
from components.core.composition import Needs, RegisteredChapter
from components.fail2ban.hardened import FAIL2BAN
from components.fail2ban.settings import Fail2BanSettings
from components.firewall.hardened import FIREWALL
from components.firewall.settings import FirewallSettings
from components.listeners.hardened import LISTENERS
from components.listeners.settings import ListenerSettings
from components.packages.hardened import PackageSettings, packages_needed
from components.sshd.hardened import SSHD
from components.sshd.settings import SshdSettings
from components.sysctl.hardened import SYSCTL
from components.sysctl.settings import SysctlSettings
from components.timesync.hardened import TIME_SYNC
from components.timesync.settings import TimeSyncSettings
from components.updates.hardened import UPDATES, UPGRADE
from components.updates.settings import UpdateSettings
from components.updates.upgrade.settings import UpgradeSettings
from components.users.hardened import USERS
from components.users.settings import UserSettings


def _false_as_none(value: Any) -> Any:
    """Parse `false` as leaving the chapter out."""
    return None if value is False else value


OrFalse = BeforeValidator(_false_as_none)


class Hardening(Settings):
    """The chapters of the guide, by their names in a stack config. `{}` uses the guide's values; `false` leaves a
    chapter out."""

    users: Annotated[tuple[UserSettings, ...], USERS] = Field((), description="Limited users with sudo and keys.")
    firewall: Annotated[FirewallSettings | None, OrFalse, FIREWALL] = Field(
        None, description="What may be reached, over IPv4 and IPv6."
    )
    sysctl: Annotated[SysctlSettings | None, OrFalse, SYSCTL] = Field(
        None, description="Kernel settings that complement the firewall."
    )
    sshd: Annotated[SshdSettings | None, OrFalse, SSHD] = Field(None, description="Who may log in over SSH, and how.")
    fail2ban: Annotated[Fail2BanSettings | None, OrFalse, FAIL2BAN] = Field(
        None, description="Bans for addresses that guess passwords."
    )
    updates: Annotated[UpdateSettings | None, OrFalse, UPDATES] = Field(None, description="Automatic security updates.")
    time_sync: Annotated[TimeSyncSettings | None, OrFalse, TIME_SYNC] = Field(None, description="The time daemon.")
    upgrade: Annotated[UpgradeSettings | None, OrFalse, UPGRADE] = Field(
        None, description="A system upgrade, on demand."
    )
    listeners: Annotated[ListenerSettings | None, OrFalse, LISTENERS] = Field(
        None, description="What may listen on the network."
    )
    packages: PackageSettings = Field(PackageSettings(), description="Packages to install and remove.")

    def on(self, host: HostEntry) -> "Hardening":
        """Return what is declared for one host: the stack's settings, overridden by the host's own.

        Raises `pydantic.ValidationError`.
        """
        own = {name: getattr(host, name, None) for name in CHAPTERS}
        own = {name: value for name, value in own.items() if value is not None}
        if not own:
            return self
        changed = Hardening.model_validate({name: self._merged(name, value) for name, value in own.items()})
        return self.model_copy(update={name: getattr(changed, name) for name in own})

    def _merged(self, chapter: str, own: Any) -> Any:
        """Merge a host's chapter into the stack's: setting by setting, except lists and `false`, which replace it."""
        below = getattr(self, chapter)
        if not isinstance(own, dict) or not isinstance(below, Settings):
            return own
        return {**plain(below), **{camel(key): item for key, item in own.items()}}

    def chapters(self) -> dict[str, tuple[RegisteredChapter, Any]]:
        """Return the declared chapters with their settings."""
        found = {name: (chapter, getattr(self, name)) for name, chapter in REGISTERED.items()}
        return {name: (chapter, settings) for name, (chapter, settings) in found.items() if settings}

    @property
    def is_empty(self) -> bool:
        """Whether no chapter is declared for the host."""
        return not self.chapters() and self.packages == PackageSettings()

    def needs(self) -> Needs:
        """Return what all chapters need from the host's packages. Services of directly declared packages are
        started."""
        own = packages_needed(self.packages)
        all_ = reduce(Needs.__or__, (chapter.needs(settings) for chapter, settings in self.chapters().values()), own)
        unstarted = tuple(sorted({*all_.unstarted} - {*own.present}))
        present = tuple(name for name in all_.present if name not in self.packages.without or name in own.present)
        return Needs(present, all_.absent, unstarted, all_.take_over)


CHAPTERS = frozenset(Hardening.model_fields)
REGISTERED: dict[str, RegisteredChapter] = {
    name: found
    for name, field in Hardening.model_fields.items()
    for found in field.metadata
    if isinstance(found, RegisteredChapter)
}


def _of_a_host(name: str) -> Any:
    """Return the field for a chapter in a host's own settings."""
    if name == "users":
        return (tuple[dict[str, Any], ...] | None, Field(None, description="Users instead of `stockade:users`."))
    kind = dict[str, Any] | None if name not in REGISTERED else dict[str, Any] | Literal[False] | None
    return (kind, Field(None, description="Overrides for this host."))


HostSettings = create_model(
    "HostSettings",
    __base__=HostEntry,
    __doc__="One host: its address, its logins, and what differs from the rest of the stack, chapter by chapter.",
    __module__=__name__,
    **{name: _of_a_host(name) for name in Hardening.model_fields},
)

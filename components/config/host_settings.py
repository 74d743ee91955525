"""What is wanted of one host: the settings of every chapter. A chapter without settings is left out."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from components.config.inventory import HostSettings, Settings, camel, plain
from components.fail2ban.settings import PACKAGES as FAIL2BAN_PACKAGES
from components.fail2ban.settings import STARTED_HERE as FAIL2BAN_SERVICES
from components.fail2ban.settings import Fail2BanSettings
from components.firewall.firewall import FirewallSettings
from components.listeners.chapter import ListenerSettings
from components.sshd.chapter import SshdSettings
from components.timesync.chapter import TimeSyncSettings
from components.updates.automatic import PACKAGES as UPDATE_PACKAGES
from components.updates.automatic import UpdateSettings
from components.updates.system import UpgradeSettings
from components.users.chapter import PACKAGES as USER_PACKAGES
from components.users.settings import UserSettings


def _off(value: Any) -> Any:
    """Read `false` as: leave the chapter out."""
    return None if value is False else value


Chapter = BeforeValidator(_off)


class PackageSettings(Settings):
    """Packages beside those that the chapters need."""

    present: tuple[str, ...] = Field((), description="Packages to install.")
    absent: tuple[str, ...] = Field(
        (), description="Packages to remove with their configuration; delete restores both."
    )


class Hardening(Settings):
    """The chapters of the guide, as a stack config names them. `{}` is the guide's values, `false` leaves it out."""

    users: tuple[UserSettings, ...] = Field((), description="Limited users with sudo and keys.")
    firewall: Annotated[FirewallSettings | None, Chapter] = Field(
        None, description="What may be reached, over IPv4 and IPv6."
    )
    sshd: Annotated[SshdSettings | None, Chapter] = Field(None, description="Who may log in over SSH, and how.")
    fail2ban: Annotated[Fail2BanSettings | None, Chapter] = Field(None, description="Bans for password guessers.")
    updates: Annotated[UpdateSettings | None, Chapter] = Field(None, description="Automatic security updates.")
    time_sync: Annotated[TimeSyncSettings | None, Chapter] = Field(None, description="What keeps the clock.")
    listeners: Annotated[ListenerSettings | None, Chapter] = Field(None, description="What may listen on the network.")
    upgrade: Annotated[UpgradeSettings | None, Chapter] = Field(None, description="A system upgrade, on demand.")
    packages: PackageSettings = Field(PackageSettings(), description="Packages to install and to remove.")

    def on(self, host: HostSettings) -> "Hardening":
        """Return what is wanted of one host: the stack's settings, with the host's own in their place.

        Raises `pydantic.ValidationError`.
        """
        own = {name: getattr(host, name, None) for name in CHAPTERS}
        own = {name: value for name, value in own.items() if value is not None}
        if not own:
            return self
        changed = Hardening.model_validate({name: self._merged(name, value) for name, value in own.items()})
        return self.model_copy(update={name: getattr(changed, name) for name in own})

    def _merged(self, chapter: str, own: Any) -> Any:
        """Lay a host's chapter over the stack's: setting by setting, lists and `false` as a whole."""
        below = getattr(self, chapter)
        if not isinstance(own, dict) or not isinstance(below, Settings):
            return own
        return {**plain(below), **{camel(key): item for key, item in own.items()}}

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is wanted of the host."""
        return not any(getattr(self, name) for name in CHAPTERS - {"packages"}) and self.packages == PackageSettings()

    def present(self) -> tuple[str, ...]:
        """Return all packages that the chapters need."""
        needed = {*self.packages.present}
        needed |= {*USER_PACKAGES} if self.users else set()
        needed |= {*self.firewall.packages} if self.firewall and not self.firewall.keep else set()
        needed |= {*FAIL2BAN_PACKAGES} if self.fail2ban else set()
        needed |= {*UPDATE_PACKAGES} if self.updates else set()
        needed |= {*self.time_sync.packages()[0]} if self.time_sync else set()
        return tuple(sorted(needed))

    def unstarted(self) -> tuple[str, ...]:
        """Return the services that their chapter starts, not their package; unless the package is wanted for itself."""
        return FAIL2BAN_SERVICES if self.fail2ban and "fail2ban" not in self.packages.present else ()

    def absent(self) -> tuple[str, ...]:
        """Return all packages that must not be there."""
        unwanted = {*self.packages.absent}
        unwanted |= {*self.time_sync.packages()[1]} if self.time_sync else set()
        return tuple(sorted(unwanted))


CHAPTERS = frozenset(Hardening.model_fields)

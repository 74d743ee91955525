"""Use single chapters: their packages in one transaction first, then the resources that configure them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout of Stockade

import pulumi

from components.fail2ban.resource import Fail2Ban
from components.fail2ban.settings import Fail2BanSettings
from components.packages.resource import Packages
from components.registry import Hardening
from components.timesync.resource import TimeSync
from components.timesync.settings import TimeSyncSettings
from components.updates.resource import AutomaticUpdates
from components.updates.settings import UpdateSettings

HOST = {"host": "web1"}  # reached as `hosts` in the stack config says; or add "connection": {"admin": {...}}

jails = Fail2BanSettings(maxretry=3)
updates = UpdateSettings(reboot_time="04:00")
clock = TimeSyncSettings(daemon="chrony")

needs = Hardening(fail2ban=jails, updates=updates, time_sync=clock).needs()
packages = Packages("web1", {**HOST, **needs.props()})
installed = pulumi.ResourceOptions(depends_on=[packages])


def configures(*names: str) -> dict[str, object]:
    """The inputs of a resource that configures packages: should one of them be removed, it is applied anew."""
    return {**HOST, "triggers": packages.triggers_for(*names)}


Fail2Ban("web1", {**configures("fail2ban"), **jails.props()}, installed)
AutomaticUpdates("web1", {**configures("unattended-upgrades"), **updates.props()}, installed)
TimeSync("web1", {**configures("chrony"), **clock.props()}, installed)

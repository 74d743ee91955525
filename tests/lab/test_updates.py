"""Updates on a real host: what apt itself says is in force, and packages that are really upgraded."""

from collections.abc import Callable, Iterator

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Stack

PROGRAM = """
import json, pulumi
from components.gai import AddressPreference
from components.inventory import connections, connection_props
from components.updates import AutomaticUpdates, UpdateSettings
from components.updates_system import SystemUpgrade, UpgradeSettings
config = {key.partition(":")[2]: json.loads(value) for key, value in pulumi.runtime.config.CONFIG.get().items()}
(way,) = connections(config["hosts"], None).values()
common = {"connection": connection_props(way), "existing": config.get("existing", "adopt")}
if "updates" in config:
    made = AutomaticUpdates("daily", way.name, UpdateSettings.model_validate(config["updates"]), **common)
    pulumi.export("updates", made.enforced)
if "gai" in config:
    AddressPreference("gai", {"host": way.name, "ipv4First": config["gai"], **common})
if "upgrade" in config:
    given = common["connection"] if config.get("as_outputs") else way
    done = SystemUpgrade("upgrade", given, UpgradeSettings.model_validate(config["upgrade"]))
    pulumi.export("upgraded", done.upgraded)
    pulumi.export("rebootDue", done.reboot_due)
"""
DROP_IN = "/etc/apt/apt.conf.d/99stockade-updates"


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("upd1")


@pytest.fixture(autouse=True)
def _pristine(host: LabHost) -> Iterator[None]:
    yield
    host.reset()


def say(host: LabHost, command: str) -> str:
    return host.exec(command).stdout.strip()


def in_force(host: LabHost, key: str) -> list[str]:
    """The values of one setting that apt has read from all its files."""
    text = say(host, f"apt-config dump --format '%F %v%n' {key}")
    return [line.split(" ", 1)[1] for line in text.splitlines() if " " in line and line.split(" ", 1)[1]]


def test_security_updates_are_on_corrected_and_off_again(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    say(host, "systemctl -q disable --now apt-daily-upgrade.timer; systemctl -q mask apt-daily.timer")
    timers = "systemctl is-enabled apt-daily.timer apt-daily-upgrade.timer || :"
    before = say(host, timers), say(host, "apt-config dump | sort")
    assert before[0].split() == ["masked", "disabled"]
    stack = new_stack(host, program=PROGRAM, updates={})
    stack.up()
    assert say(host, timers).split() == ["enabled", "enabled"]
    assert say(host, "systemctl is-active apt-daily.timer apt-daily-upgrade.timer").split() == ["active", "active"]
    assert in_force(host, "APT::Periodic::Unattended-Upgrade") == ["1"]
    origins = in_force(host, "Unattended-Upgrade::Origins-Pattern")
    assert origins
    assert all("ecurity" in origin for origin in origins)
    told = host.exec("unattended-upgrade --dry-run -v 2>&1").stdout
    assert "label=Debian-Security" in told
    assert "label=Debian," not in told
    stack.unchanged()

    wanted = {"rebootTime": "04:30", "origins": ["origin=Debian,codename=${distro_codename}-security"]}
    stack.configure(hosts={host.name: entry(host)}, updates=wanted)
    stack.up()
    assert in_force(host, "Unattended-Upgrade::Automatic-Reboot-Time") == ["04:30"]
    assert in_force(host, "Unattended-Upgrade::Automatic-Reboot") == ["true"]
    assert in_force(host, "Unattended-Upgrade::Origins-Pattern") == wanted["origins"]

    # by hand: another file says otherwise, and the timer is stopped
    say(host, """echo 'Unattended-Upgrade::Automatic-Reboot "false";' >/etc/apt/apt.conf.d/99zz""")
    stack.refresh()
    assert "rebootTime" in stack.preview()
    failed = stack.up(check=False)
    assert failed.status != 0
    assert "rebootTime" in failed
    say(host, "rm /etc/apt/apt.conf.d/99zz; systemctl -q stop apt-daily-upgrade.timer")
    stack.refresh()
    stack.up()
    assert say(host, "systemctl is-active apt-daily-upgrade.timer") == "active"
    assert in_force(host, "Unattended-Upgrade::Automatic-Reboot") == ["true"]
    stack.refresh()
    stack.unchanged()

    stack.configure(hosts={host.name: entry(host)}, updates={**wanted, "mail": "admin@example.org"})
    refused = stack.up(check=False)
    assert "cannot send any" in refused
    assert "Traceback" not in refused
    say(host, "printf '#!/bin/sh\\n' >/usr/sbin/sendmail; chmod 755 /usr/sbin/sendmail")
    stack.up()
    assert in_force(host, "Unattended-Upgrade::Mail") == ["admin@example.org"]

    stack.configure(hosts={host.name: entry(host)}, updates={"enabled": False})
    stack.up()
    assert in_force(host, "APT::Periodic::Unattended-Upgrade") == ["0"]
    stack.destroy()
    assert (say(host, timers), say(host, "apt-config dump | sort")) == before
    assert say(host, "ls /var/lib/stockade 2>/dev/null || :") == ""

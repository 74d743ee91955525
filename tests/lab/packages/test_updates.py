"""Updates on a lab host: the settings that apt itself reports, and real upgrades of packages."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Secret, Stack

pytestmark = pytest.mark.usefixtures("pristine")

PROGRAM = """
import json, pulumi
from components.gai.resource import AddressPreference
from components.config.inventory import connections, connection_props
from components.packages.resource import Packages
from components.updates.settings import PACKAGES, UpdateSettings
from components.updates.resource import AutomaticUpdates
from components.updates.upgrade.resource import SystemUpgrade
from components.updates.upgrade.settings import UpgradeSettings
config = {key.partition(":")[2]: json.loads(value) for key, value in pulumi.runtime.config.CONFIG.get().items()}
(way,) = connections(config["hosts"], None).values()
common = {"host": way.name, "connection": connection_props(way)}
if "updates" in config:
    packages = Packages("daily", {**common, "present": PACKAGES})
    props = {**common, **UpdateSettings.model_validate(config["updates"]).props()}
    props["triggers"] = packages.triggers_for(*PACKAGES)
    AutomaticUpdates("daily", props, pulumi.ResourceOptions(depends_on=[packages]))
if "gai" in config:
    AddressPreference("gai", {**common, "ipv4First": config["gai"]})
if "upgrade" in config:
    done = SystemUpgrade("upgrade", {**common, **UpgradeSettings.model_validate(config["upgrade"]).props()})
    pulumi.export("upgraded", done.upgraded)
    pulumi.export("rebootDue", done.reboot_due)
"""
SETTINGS = "ls -l /etc/apt/apt.conf.d; apt-config dump | grep -iE '^(APT::Periodic|Unattended)' || :"

# builds a package with a configuration file and adds newer versions of it to a repository
PROBE = """
version=$1
rm -rf /tmp/probe && mkdir -p /tmp/probe/DEBIAN /tmp/probe/etc /srv/probe
echo "shipped $version" >/tmp/probe/etc/probe.conf
echo /etc/probe.conf >/tmp/probe/DEBIAN/conffiles
printf '%s\\n' 'Package: probe' "Version: $version" 'Architecture: all' 'Maintainer: nobody <nobody@example.org>' \\
    'Description: probe' >/tmp/probe/DEBIAN/control
[ "$version" != 2.0 ] || {
    printf '#!/bin/sh\\ntouch /run/reboot-required\\n' >/tmp/probe/DEBIAN/postinst
    chmod 755 /tmp/probe/DEBIAN/postinst
}
dpkg-deb -b --root-owner-group /tmp/probe "/srv/probe/probe_$version.deb" >/dev/null
echo 'deb [trusted=yes] file:/srv/probe ./' >/etc/apt/sources.list.d/probe.list
(cd /srv/probe && apt-ftparchive packages . >Packages)
"""
SUDO_PASSWORD = "correct-horse-battery"


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("upd1")


def say(host: LabHost, command: str) -> str:
    return host.exec(command).stdout.strip()


def in_force(host: LabHost, key: str) -> list[str]:
    """The values of one setting that apt has read from all its files."""
    text = say(host, f"apt-config dump --format '%F %v%n' {key}")
    return [line.split(" ", 1)[1] for line in text.splitlines() if " " in line and line.split(" ", 1)[1]]


def test_security_updates_are_on_corrected_and_off_again(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    say(host, "systemctl -q disable --now apt-daily-upgrade.timer; systemctl -q mask apt-daily.timer")
    timers = "systemctl is-enabled apt-daily.timer apt-daily-upgrade.timer || :"
    before = say(host, timers), say(host, SETTINGS)
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

    # changed by hand: another file overrides a setting, and the timer is stopped
    say(host, """echo 'Unattended-Upgrade::Automatic-Reboot "false";' >/etc/apt/apt.conf.d/99zz""")
    stack.refresh()
    assert "rebootTime" in stack.preview()
    failed = stack.up(check=False)
    assert failed.status != 0
    assert "/etc/apt/apt.conf.d/99zz: Unattended-Upgrade::Automatic-Reboot" in failed
    assert "nothing was changed" in failed
    say(host, "rm /etc/apt/apt.conf.d/99zz; systemctl -q stop apt-daily-upgrade.timer")
    stack.refresh()
    stack.up()
    assert say(host, "systemctl is-active apt-daily-upgrade.timer") == "active"
    assert in_force(host, "Unattended-Upgrade::Automatic-Reboot") == ["true"]
    stack.refresh()
    stack.unchanged()

    stack.configure(hosts={host.name: entry(host)}, updates={**wanted, "mail": "admin@example.org"})
    refused = stack.up(check=False)
    assert "the host cannot send mail" in refused
    assert "Traceback" not in refused
    say(host, "printf '#!/bin/sh\\n' >/usr/sbin/sendmail; chmod 755 /usr/sbin/sendmail")
    stack.up()
    assert in_force(host, "Unattended-Upgrade::Mail") == ["admin@example.org"]

    stack.configure(hosts={host.name: entry(host)}, updates={"enabled": False})
    stack.up()
    assert in_force(host, "APT::Periodic::Unattended-Upgrade") == ["0"]
    stack.destroy()
    assert (say(host, timers), say(host, SETTINGS)) == before
    assert say(host, "ls /var/lib/stockade 2>/dev/null || :") == ""


def publish(host: LabHost, version: str) -> None:
    host.exec(["sh", "-euc", PROBE, "sh", version])


def probe(host: LabHost) -> str:
    return say(host, "dpkg-query -W -f '${Version}' probe")


def outputs(stack: Stack) -> dict[str, Any]:
    (root,) = (item for item in stack.state() if item["type"] == "pulumi:pulumi:Stack")
    told: dict[str, Any] = root["outputs"]
    return told


def test_an_upgrade_is_made_once_for_each_trigger(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    publish(host, "1.0")
    say(host, "apt-get -qq update && apt-get -qq install probe && echo mine >/etc/probe.conf")
    publish(host, "2.0")
    before = say(host, "find / -xdev -newer /srv/probe/Packages -path '/var/lib/stockade*'")
    stack = new_stack(host, program=PROGRAM, upgrade={"trigger": "2024-05-01"})
    stack.up()
    assert probe(host) == "2.0"
    assert say(host, "cat /etc/probe.conf") == "mine"
    assert "upgraded probe 1.0 2.0" in outputs(stack)["upgraded"]
    assert outputs(stack)["rebootDue"] is True
    stack.unchanged()

    # another login is no reason to upgrade
    publish(host, "3.0")
    say(host, "rm /run/reboot-required")
    slower = entry(host, perDialTimeout=20)
    stack.configure(hosts={host.name: slower}, upgrade={"trigger": "2024-05-01"})
    stack.up()
    assert probe(host) == "2.0"
    assert "upgraded probe 1.0 2.0" in outputs(stack)["upgraded"]

    # an admin whose sudo asks for a password, and a connection whose values are outputs
    key = say(host, "cat /root/.ssh/authorized_keys")
    say(
        host,
        "adduser -q --disabled-password --gecos '' ops && adduser -q ops sudo && mkdir -m 700 ~ops/.ssh &&"
        f"echo ops:{SUDO_PASSWORD} | chpasswd && echo '{key}' >~ops/.ssh/authorized_keys && chown -R ops: ~ops/.ssh",
    )
    admin = {"user": "ops", "privateKeyFile": str(host.key_file), "sudoPassword": Secret(SUDO_PASSWORD)}
    way = {"address": host.ipv4, "hostKey": host.host_key, "admin": admin}
    stack.configure(hosts={host.name: way}, upgrade={"trigger": "2024-06-01"})
    stack.up()
    assert probe(host) == "3.0"
    assert "upgraded probe 2.0 3.0" in outputs(stack)["upgraded"]
    stack.unchanged()

    written = json.dumps(stack.state())
    assert SUDO_PASSWORD not in written
    assert "PRIVATE KEY" not in written
    stack.destroy()
    assert probe(host) == "3.0"
    assert say(host, "find / -xdev -newer /srv/probe/Packages -path '/var/lib/stockade*'") == before


def test_an_upgrade_that_fails_says_why_and_no_unknown_host_is_entered(
    host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    say(host, "echo 'deb [trusted=yes] file:/srv/nowhere ./' >/etc/apt/sources.list.d/broken.list")
    stack = new_stack(host, program=PROGRAM, upgrade={"trigger": 1})
    failed = stack.up(check=False)
    assert failed.status != 0
    assert "/srv/nowhere" in failed
    assert "components/updates" not in failed
    say(host, "rm /etc/apt/sources.list.d/broken.list")

    unknown = entry(host)
    del unknown["hostKey"]
    stack.configure(hosts={host.name: {**unknown, "knownHostsFile": "/dev/null"}}, upgrade={"trigger": 1})
    refused = stack.up(check=False)
    assert refused.status != 0
    assert "hostKey" in refused
    assert "Traceback" not in refused

    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBFj0hrzR8YmJsYVzvnYzV8cS5i2cAyyHrUPXm4V4Y2m"
    stack.configure(hosts={host.name: {**entry(host), "hostKey": other, "dialErrorLimit": 1}}, upgrade={"trigger": 1})
    assert "host key" in stack.up(check=False)
    stack.configure(hosts={host.name: entry(host)}, upgrade={"trigger": 1})
    stack.up()


@pytest.mark.parametrize("there", [True, False])
def test_ipv4_first_is_uncommented_kept_and_put_back(
    host: LabHost, new_stack: Callable[..., Stack], there: bool
) -> None:
    state = "stat -c '%a %U %G %s' /etc/gai.conf 2>&1; cat /etc/gai.conf 2>&1 || :"
    if there:
        say(host, "printf '# mine\n' >>/etc/gai.conf; chmod 600 /etc/gai.conf")
    else:
        say(host, "rm /etc/gai.conf")
    before = say(host, state)
    stack = new_stack(host, program=PROGRAM, gai=True)
    stack.up()
    rule = "grep -xc 'precedence ::ffff:0:0/96  *100' /etc/gai.conf || :"
    assert say(host, rule) == "1"
    stack.unchanged()
    say(host, "sed -i 's/^precedence/#precedence/' /etc/gai.conf")
    stack.refresh()
    assert "ipv4First" in stack.preview()
    stack.up()
    assert say(host, rule) == "1"
    stack.destroy()
    assert say(host, state) == before


def test_what_others_wrote_to_gai_conf_meanwhile_is_kept(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(host, program=PROGRAM, gai=True)
    stack.up()
    say(host, "echo 'scopev4 ::ffff:192.0.2.0/120 2' >>/etc/gai.conf")
    stack.destroy()
    left = say(host, "grep -v '^#' /etc/gai.conf | grep .")
    assert left == "scopev4 ::ffff:192.0.2.0/120 2"

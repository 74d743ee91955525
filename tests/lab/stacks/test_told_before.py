"""A change that is impossible on a host is refused before anything is changed; the file, unit or package is named."""

from collections.abc import Callable
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Result, Stack

pytestmark = pytest.mark.usefixtures("pristine")


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("told1")


@pytest.fixture
def stack(new_stack: Callable[..., Stack], host: LabHost) -> Stack:
    return new_stack(host)


def shape(host: LabHost) -> set[str]:
    """Settings, accounts and units, line by line."""
    text = host.exec(
        "cd /etc; find . -printf '%p %y %m %U %G %l\\n' | grep -v '^./.pwd.lock'; find . -type f -exec cksum {} +;"
        "ls -A /home /var/spool; find /home -printf '%p %m %U %s\\n'; systemctl list-unit-files --no-legend --no-pager;"
        "systemctl list-units --no-legend --no-pager --plain --type=timer,socket | cut -d' ' -f1;"
        "dpkg-query -W; apt-mark showhold"
    )
    return set(text.stdout.splitlines())


def refused(stack: Stack, host: LabHost, *told: str, **settings: Any) -> Result:
    """Apply an impossible change: the output has each of `told`, and the host is unchanged."""
    before = shape(host)
    stack.configure(hosts={host.name: entry(host)}, **settings)
    done = stack.run("up", "--yes", "--continue-on-error", check=False)
    assert done.status != 0, done.output
    for text in told:
        assert text in done, done.output
    assert "/components/" not in done, done.output  # no traceback of ours; Pulumi's CLI prints one if it ends a program
    assert shape(host) ^ before == set()
    return done


def user(host: LabHost, **more: Any) -> list[dict[str, Any]]:
    key = " ".join(host.exec("cat /root/.ssh/authorized_keys").stdout.split()[:2])
    return [{"name": "deploy", "keys": [key], "sudo": "nopasswd", **more}]


def test_the_rule_of_sudoers_that_decides(host: LabHost, stack: Stack) -> None:
    host.exec("apt-get -qq install -y sudo </dev/null")
    company = "/etc/sudoers.d/zzz-company"
    for rule, sudo in (
        ("%sudo ALL=(ALL) ALL", "nopasswd"),
        ("ALL ALL=(ALL) !ALL", "nopasswd"),
        ("ALL ALL=(ALL) NOPASSWD: ALL", "none"),
    ):
        host.exec(f"printf '# theirs\\n{rule}\\n' >{company}; chmod 440 {company}".replace("%", "%%"))
        refused(stack, host, f"{company}:2: {rule}", "nothing was changed", users=user(host, sudo=sudo))
    # an alias, on several lines, in a file that is included through a link
    host.exec(
        "mkdir /etc/company; printf 'User_Alias OPS = bob, \\\\\\n  deploy\\nOPS ALL=(ALL) \\\\\\n  PASSWD: ALL\\n'"
        f" >/etc/company/rules; ln -sf /etc/company/rules {company}; chmod 440 /etc/company/rules"
    )
    refused(stack, host, f"{company}:3: OPS ALL=(ALL)", users=user(host))
    host.exec(f"rm {company}; sed -i '/^@includedir/d' /etc/sudoers")
    refused(stack, host, "/etc/sudoers does not read /etc/sudoers.d", "#includedir", users=user(host))
    # a rule that overrides nothing is accepted; drift is reported like that, too
    host.exec("echo '@includedir /etc/sudoers.d' >>/etc/sudoers; echo 'deploy ALL=(root) /bin/true' >>/etc/sudoers")
    stack.configure(hosts={host.name: entry(host)}, users=user(host))
    stack.up()
    assert host.exec("runuser -u deploy -- sudo -n id -u").stdout == "0\n"
    host.exec("echo 'deploy ALL=(ALL) PASSWD: ALL' >>/etc/sudoers")
    stack.refresh()
    assert "/etc/sudoers:" in stack.up(check=False)


def test_accounts_of_the_system(host: LabHost, stack: Stack) -> None:
    host.exec("useradd -r -m -s /bin/bash ansible; useradd -s /usr/sbin/nologin shop; groupadd -r dialers")
    host.exec("useradd -o -u 0 -g 0 -d /root -s /bin/bash toor")
    stack.configure(hosts={host.name: entry(host)}, users=user(host))
    stack.up()
    refused(stack, host, "daemon is a system account", users=[*user(host), *user(host, name="daemon")])
    told = [
        "people's accounts have those from 1000 on",
        "toor has the number 0",
        "shop has the shell /usr/sbin/nologin",
        "the group dialers",
    ]
    names = ("ansible", "toor", "shop", "dialers")
    refused(stack, host, *told, users=[*user(host), *(one for name in names for one in user(host, name=name))])
    stack.configure(hosts={host.name: entry(host)}, users=user(host, name="shop", shell="/bin/bash"))
    stack.up()
    assert host.exec("runuser -u shop -- sudo -n id -u").stdout == "0\n"


def test_files_that_nobody_can_change(host: LabHost, stack: Stack) -> None:
    for path in ("/etc/shadow", "/etc/group"):
        host.exec(f"cp -p {path} {path}.new; mv {path}.new {path}; chattr +i {path}")  # a copy on the lab's own layer
        refused(stack, host, f"{path} is immutable (chattr +i)", users=user(host))
        host.exec(f"chattr -i {path}")
    stack.configure(hosts={host.name: entry(host)}, users=user(host))
    stack.up()
    host.exec("chattr +i ~deploy/.ssh/authorized_keys")
    more = [*user(host)[0]["keys"], "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBFj0hrzR8YmJsYVzvnYzV8cS5i2cAyyHrUPXm4V4Y2m"]
    refused(stack, host, "authorized_keys is immutable (chattr +i)", users=user(host, keys=more))
    host.exec("chattr -i ~deploy/.ssh/authorized_keys; chattr +a /etc/passwd")
    refused(stack, host, "/etc/passwd is append-only (chattr +a)", users=user(host, shell="/bin/sh"))
    host.exec("chattr -a /etc/passwd")
    stack.destroy()


def test_the_outputs_tell_what_is_and_not_what_was_wanted(host: LabHost, stack: Stack) -> None:
    host.exec("DEBIAN_FRONTEND=noninteractive apt-get -qq install -y rpcbind sudo </dev/null; apt-mark hold rpcbind")
    done = refused(stack, host, "on hold", "): rpcbind", packages={"absent": ["rpcbind"]}, users=user(host))
    assert "removed" not in done
    assert "sudo nopasswd" not in done
    host.exec("apt-mark unhold rpcbind")
    done = stack.up()
    assert "deploy: sudo nopasswd" in done
    (root,) = (item for item in stack.state() if item["type"] == "pulumi:pulumi:Stack")
    told = root["outputs"][host.name]["packages"]
    assert "rpcbind" in told["removed"]
    assert told["installed"] == []  # sudo was installed before


def test_what_keeps_updates_from_coming(host: LabHost, stack: Stack) -> None:
    host.exec("DEBIAN_FRONTEND=noninteractive apt-get -qq install -y unattended-upgrades </dev/null")
    parts = "/etc/apt/apt.conf.d"
    host.exec("systemctl -q mask --runtime apt-daily.timer; systemctl -q stop apt-daily.timer")
    settings = {
        f"{parts}/99zz": ("APT::Periodic::Unattended-Upgrade", "0"),
        f"{parts}/local.conf": ("Unattended-Upgrade::Automatic-Reboot", "yes"),
        "/etc/apt/apt.conf": ("Unattended-Upgrade::Origins-Pattern", "site=*"),
    }
    for file, (name, value) in settings.items():
        host.exec(f"cat >{file}", input=f'// theirs\n{name}{"::" if "=" in value else ""} "{value}";\n')
    told = [f"{file}: {name}\n" for file, (name, _) in settings.items()]
    refused(stack, host, *told, "nothing was changed", updates={})
    host.exec(f"rm {' '.join(settings)}")
    # the masked service does the work; the chapter itself starts the timer
    host.exec("systemctl -q mask apt-daily-upgrade.service")
    refused(stack, host, "apt-daily-upgrade.service", "nothing was changed", updates={})
    host.exec("systemctl -q unmask apt-daily-upgrade.service")
    slow = "/etc/systemd/system/apt-daily-upgrade.timer.d"
    host.exec(f"mkdir {slow}; printf '[Timer]\\nOnCalendar=\\nOnCalendar=*-02-29\\n' >{slow}/slow.conf")
    host.exec("systemctl daemon-reload")
    refused(stack, host, f"{slow}/slow.conf", "less often than every three days", "nothing was changed", updates={})
    host.exec(f"mv {slow} /root/slow; systemctl daemon-reload")
    # other files that override nothing
    host.exec(f"cat >{parts}/99zz", input='APT::Periodic::Update-Package-Lists "7"; Unattended-Upgrade::Mail "me";\n')
    stack.configure(hosts={host.name: entry(host)}, updates={})
    stack.up()
    assert host.exec("systemctl is-active apt-daily.timer").stdout == "active\n"
    host.exec("systemctl -q mask apt-daily-upgrade.service")
    stack.refresh()
    assert "enabled" in stack.preview(check=False)
    host.exec("systemctl -q unmask apt-daily-upgrade.service")
    stack.refresh()
    stack.unchanged()
    host.exec(f"mv /root/slow {slow}; systemctl daemon-reload")
    stack.refresh()
    assert "enabled" in stack.preview(check=False)
    host.exec(f"rm -r {slow}; systemctl daemon-reload")
    stack.refresh()
    stack.unchanged()
    stack.destroy()
    assert host.exec("systemctl is-enabled apt-daily.timer", check=False).stdout == "masked-runtime\n"

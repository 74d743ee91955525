"""Changes by hand are shown as drift, until they are undone by hand."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.oddities import IN_PLACE, ODD
from tests.lab.stack import Stack

NAME = "drift1"
GUEST = {"shell": "/bin/bash", "home": "/home/guest", "exclusiveKeys": True}
RELOAD = "systemctl reload ssh"
SSHD = "/etc/ssh/sshd_config.d/00-stockade.conf"
# The resource that shows the drift, the change, and how it is undone. One for each resource at a time.
ROUNDS = (
    {
        "ipv4": ("iptables -I INPUT -p tcp --dport 8080 -j ACCEPT", "iptables -D INPUT -p tcp --dport 8080 -j ACCEPT"),
        "ipv6": ("ip6tables -P INPUT DROP", "ip6tables -P INPUT ACCEPT"),
        "guest": ("usermod -L guest", "usermod -U guest"),
        "Sshd": (
            f"cp -p {SSHD} /root/sshd; sed -i 's/MaxAuthTries 5/MaxAuthTries 9/' {SSHD}; {RELOAD}",
            f"cp -p /root/sshd {SSHD}; {RELOAD}",
        ),
        "Fail2Ban": ("systemctl stop fail2ban", "systemctl start fail2ban"),
        "AutomaticUpdates": (
            "echo 'APT::Periodic::Unattended-Upgrade \"0\";' >/etc/apt/apt.conf.d/zz-by-hand",
            "rm /etc/apt/apt.conf.d/zz-by-hand",
        ),
        "Packages": (
            "DEBIAN_FRONTEND=noninteractive apt-get install -qy rpcbind </dev/null",
            "DEBIAN_FRONTEND=noninteractive apt-get purge -qy rpcbind </dev/null",
        ),
    },
    {
        "ipv4": (
            "cp -p /etc/iptables/rules.v4 /root/kept; echo '# by hand' >>/etc/iptables/rules.v4",
            "mv /root/kept /etc/iptables/rules.v4",
        ),
        "ipv6": ("systemctl disable netfilter-persistent", "systemctl enable netfilter-persistent"),
        "guest": (
            "echo 'guest ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/zz-by-hand; chmod 440 /etc/sudoers.d/zz-by-hand",
            "rm /etc/sudoers.d/zz-by-hand",
        ),
        "Fail2Ban": ("fail2ban-client set sshd maxretry 99", "fail2ban-client set sshd maxretry 5"),
        "Listeners": (
            "systemd-run -q --unit=by-hand nc -lk 4444; until ss -Htln | grep -q 4444; do sleep 0.1; done",
            "systemctl stop by-hand",
        ),
        "AutomaticUpdates": ("systemctl disable apt-daily-upgrade.timer", "systemctl enable apt-daily-upgrade.timer"),
    },
    {
        "ipv4": ("iptables -F INPUT", "iptables-restore --noflush /root/input"),
        "guest": ("mv ~guest/.ssh/authorized_keys /root/", "mv /root/authorized_keys ~guest/.ssh/"),
    },
    {"guest": ("usermod -s /usr/sbin/nologin guest", "usermod -s /bin/bash guest")},
)


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up(NAME)


@pytest.fixture(scope="module")
def stack(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    folder = tmp_path_factory.mktemp("drift")
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    stack = Stack(folder / "project")
    admin = {"user": "deploy", "privateKeyFile": str(host.key_file)}
    keys = {"keyFiles": [f"{key}.pub"]}
    stack.configure(
        hosts={NAME: entry(host, admin=admin)},
        packages={"absent": ["rpcbind"]},
        users=[
            {"name": "deploy", "sudo": "nopasswd", "keyFiles": [f"{host.key_file}.pub"]},
            {"name": "guest", "sudo": "none", "password": "$6$x$" + "a" * 86, **keys, **GUEST},
        ],
        sshd={"settings": {"MaxAuthTries": 5, "AllowUsers": ["deploy", "guest"]}},
        firewall={"preset": "ssh"},
        sysctl={},
        fail2ban={},
        updates={},
        listeners={},
    )
    stack.up()
    stack.unchanged()
    host.exec("( echo '*filter'; iptables -S INPUT | grep -- -A; echo COMMIT ) >/root/input")
    return stack


def drifted(stack: Stack) -> set[str]:
    """Return the resources that the next `up` would change, by the ends of their names or types."""
    found = set()
    for item in stack.state():
        if "declared" in item.get("outputs", {}):
            kind, name = item["urn"].split("::")[-2:]
            name = name.removeprefix(NAME).lstrip("-")
            found.add(name or kind.rpartition(":")[2])
    return found


@pytest.mark.parametrize("number", range(len(ROUNDS)))
def test_what_was_undone_by_hand_is_no_drift(stack: Stack, host: LabHost, number: int) -> None:
    hands = ROUNDS[number]
    for change, _ in hands.values():
        host.exec(change)
    try:
        stack.refresh()
        assert drifted(stack) >= set(hands)
        assert stack.preview("--expect-no-changes", check=False).status != 0
        stack.refresh()
    finally:
        for _, undo in hands.values():
            host.exec(undo)
    stack.refresh()
    assert drifted(stack) == set()
    stack.unchanged()


def test_drift_is_taken_back_by_up_and_told_no_longer(stack: Stack, host: LabHost) -> None:
    for name, (change, _) in ROUNDS[0].items():
        if name != "AutomaticUpdates":  # another, later file overrides ours, and the run reports it
            host.exec(change)
    host.exec(ROUNDS[-1]["guest"][0])
    stack.refresh()
    stack.up()
    stack.unchanged()
    stack.refresh()
    stack.unchanged()
    assert "--dport 8080" not in host.iptables_save()
    assert "nologin" not in host.exec("getent passwd guest").stdout


OUR_FILES = (
    *(SSHD, "/etc/fail2ban/jail.d/zz-stockade.local", "/etc/apt/apt.conf.d/99stockade-updates"),
    *("/etc/iptables/rules.v4", "/etc/iptables/rules.v6", "/etc/sysctl.d/zz-stockade.conf"),
)


# before sshd has a file of somebody else in front, which our settings step aside for
def test_whatever_is_in_the_place_of_our_files_is_drift_like_any_other(stack: Stack, host: LabHost) -> None:
    untouched = "stat -c '%a %U %G' /etc/shadow; find /etc -maxdepth 1 -name '*stockade*' -o -name '*rules*'"
    before = host.exec(untouched).stdout
    for change in IN_PLACE.values():
        host.exec(change)
    stack.refresh()
    assert drifted(stack) >= {*IN_PLACE}
    stack.up()
    stack.refresh()
    stack.unchanged()
    told = host.exec(["stat", "-c", "%F %A %U", *OUR_FILES]).stdout.splitlines()
    assert all(line.startswith("regular file -rw") and line.endswith(" root") for line in told), told
    assert not any(line[21] == "w" for line in told), "others may write to it"
    assert host.exec(untouched).stdout == before


def test_what_no_config_could_declare_is_drift_like_any_other(stack: Stack, host: LabHost) -> None:
    for change in ODD.values():
        host.exec(change)
    stack.refresh()
    # a foreign chain and the jump to it stay; updates are on, however that is spelled
    assert drifted(stack) >= {*ODD} - {"Packages", "ipv4", "AutomaticUpdates"}
    shown = stack.preview("--expect-no-changes", check=False)
    assert shown.status != 0
    assert "Traceback" not in shown
    assert "This is a fault" not in shown
    host.exec("rm -f /etc/fail2ban/jail.local")
    stack.up()
    assert "kbdinteractiveauthentication no" in host.exec("sshd -T").stdout.lower()
    assert "/srv/odd home" not in host.exec("getent passwd guest").stdout
    host.exec("systemctl stop odd; apt-mark unhold fail2ban sudo")  # `destroy` refuses a held package and names it
    stack.refresh()
    stack.unchanged()


def test_drift_of_every_kind_is_undone_by_destroy(stack: Stack, host: LabHost, tmp_path: Path) -> None:
    del tmp_path
    for change in (*(change for change, _ in ROUNDS[1].values()), *(ODD[name] for name in ("Sshd", "ipv6", "guest"))):
        host.exec(change)
    for name in ("Sshd", "Fail2Ban", "ipv4", "AutomaticUpdates", "Sysctl"):
        host.exec(IN_PLACE[name])
    stack.refresh()
    stack.destroy()
    assert host.exec(["ls", *OUR_FILES], check=False).stdout == ""
    assert host.exec("ls /var/lib/stockade", check=False).stdout == ""
    assert host.exec("id guest", check=False).returncode != 0

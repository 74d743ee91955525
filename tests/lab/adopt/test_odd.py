"""Hosts with something wrong: that part is left out, and said; the rest is written, and `up` changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from local.lab.api import Lab, LabHost
from tests.lab.adopt.adopting import Snapshot, adopt, changed, on_all, settled, snapshot
from tests.lab.adopt.hosts import Prepared
from tests.lab.stack import Result, Stack

PREPARE = """
export DEBIAN_FRONTEND=noninteractive
apt-get install -qy --no-install-recommends fail2ban python3-systemd unattended-upgrades sudo </dev/null >/dev/null
printf '[sshd]\\nbackend = systemd\\n' >/etc/fail2ban/jail.d/house.conf
systemctl restart fail2ban
printf 'APT::Periodic::Update-Package-Lists "1";\\nAPT::Periodic::Unattended-Upgrade "1";\\n' \
    >/etc/apt/apt.conf.d/20auto-upgrades
useradd -m -s /bin/bash -G sudo alice
echo '%sudo ALL=(root) NOPASSWD: /usr/bin/apt' >/etc/sudoers.d/house
sed -i 's/^%sudo/#&/' /etc/sudoers
chmod 440 /etc/sudoers.d/house
mkdir -m 700 ~alice/.ssh
cp /root/.ssh/authorized_keys ~alice/.ssh/
chown -R alice: ~alice/.ssh
iptables -A INPUT -i lo -j ACCEPT
iptables -A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT
iptables -A INPUT -p tcp --dport 22 -j ACCEPT
iptables -P INPUT DROP
"""


@dataclass(frozen=True)
class Odd:
    """What is done to a host, and what is said about it."""

    script: str
    said: tuple[str, ...]
    taken: frozenset[str]


ODD = {
    "broken": Odd(
        """
        for tool in /usr/sbin/*tables* /usr/sbin/nft; do mv "$tool" "$tool.off"; done
        systemctl stop fail2ban
        echo 'Nonsense yes' >>/etc/ssh/sshd_config
        """,
        (
            "# Not taken over: firewall: iptables is not installed",
            "# Not taken over: sshd: exit status 65: /etc/ssh/sshd_config: line ",
            "# Not taken over: fail2ban: its service is inactive now, and enabled at boot",
            "alice: sudo for some commands stays as it is: (root) NOPASSWD: /usr/bin/apt",
        ),
        frozenset({"users", "sysctl", "updates", "listeners"}),
    ),
    "foreign": Odd(
        """
        rm /etc/os-release
        printf 'ID=plan9\\nVERSION_ID=4\\n' | tee /etc/os-release >/usr/lib/os-release
        mkdir -p /opt/ssh/sbin /run/sshd
        mv /usr/sbin/sshd /opt/ssh/sbin/sshd
        systemctl stop ssh
        systemctl -q mask ssh
        mkdir -p /run/sshd
        /opt/ssh/sbin/sshd
        """,
        (
            "# plan9 4",
            "# Not taken over: firewall, updates, packages: this distribution is not supported",
            "# Not taken over: sshd: exit status 69: there is no OpenSSH server",
        ),
        frozenset({"users", "sysctl", "fail2ban", "listeners"}),
    ),
    "sound": Odd(
        ":",
        (),
        frozenset({"users", "firewall", "sysctl", "sshd", "fail2ban", "updates", "listeners"}),
    ),
}


@dataclass
class Adopted:
    """The hosts, and what they were like before."""

    hosts: dict[str, LabHost]
    before: dict[str, Snapshot]
    stack: Stack
    ended: Result

    def assert_nothing_changed(self) -> None:
        after = on_all(self.hosts, snapshot)
        assert {name: changed(self.before[name], after[name]) for name in ODD} == {name: [] for name in ODD}


@pytest.fixture(scope="module")
def adopted(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adopted]:
    names = [f"odd-{name}" for name in ODD]
    lab.down(names)
    hosts = {name: lab.up([f"odd-{name}"])[0] for name in ODD}
    scripts = {host.name: PREPARE + ODD[name].script for name, host in hosts.items()}
    on_all(hosts, lambda host: host.exec(scripts[host.name], limit=240))
    stack = Stack(tmp_path_factory.mktemp("odd") / "project")
    before = on_all(hosts, snapshot)
    yield Adopted(hosts, before, stack, adopt(stack, *prepared(hosts)))
    lab.down(names)


def prepared(hosts: dict[str, LabHost]) -> list[tuple[LabHost, Prepared]]:
    return [(host, Prepared(name, "debian")) for name, host in hosts.items()]


def chapters(stack: Stack, name: str) -> dict[str, Any]:
    """The chapters that are declared for a host."""
    config = yaml.safe_load((stack.folder / f"stacks/Pulumi.{stack.name}.yaml").read_text())["config"]
    common = {key.removeprefix("stockade:"): value for key, value in config.items()}
    entry = common.pop("hosts")[name]
    wanted = {chapter for one in ODD.values() for chapter in one.taken}
    return {key: value for key, value in {**common, **entry}.items() if key in wanted and value not in (False, [])}


@pytest.mark.parametrize("name", ODD)
def test_what_is_wrong_is_left_out_and_said(adopted: Adopted, name: str) -> None:
    assert adopted.ended.status == 0, adopted.ended.output
    assert "Traceback" not in adopted.ended
    assert chapters(adopted.stack, name).keys() == ODD[name].taken
    text = (adopted.stack.folder / "stacks/Pulumi.test.yaml").read_text()
    for said in ODD[name].said:
        assert said in text


def test_up_changes_nothing(adopted: Adopted) -> None:
    adopted.stack.up()
    adopted.assert_nothing_changed()


def test_an_edit_of_a_user_leaves_sudo_for_some_commands(adopted: Adopted) -> None:
    file = adopted.stack.folder / "stacks/Pulumi.test.yaml"
    text = file.read_text()
    assert "- name: alice\n      sudo: none\n" in text
    file.write_text(
        text.replace("- name: alice\n      sudo: none\n", "- name: alice\n      sudo: none\n      shell: /bin/sh\n")
    )
    adopted.stack.up()
    sound = adopted.hosts["sound"]
    assert sound.exec("getent passwd alice").stdout.endswith(":/bin/sh\n")
    assert "NOPASSWD: /usr/bin/apt" in sound.exec("sudo -l -U alice").stdout
    file.write_text(text)
    adopted.stack.up()


def test_what_another_stack_manages_is_left_out(adopted: Adopted, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Stack(tmp_path_factory.mktemp("other") / "project", name="other")
    ended = adopt(other, *prepared(adopted.hosts))
    assert ended.status == 0, ended.output
    text = (other.folder / "stacks/Pulumi.other.yaml").read_text()
    assert "the stack test of the project stockade manages it" in text
    for name, odd in ODD.items():
        assert chapters(other, name).keys() & odd.taken == set()
    other.up()
    other.destroy()
    adopted.stack.unchanged()


def test_destroy_leaves_what_was_there(adopted: Adopted) -> None:
    adopted.stack.destroy()
    after = on_all(adopted.hosts, snapshot)
    for name, before in adopted.before.items():  # alice was changed and changed back
        assert changed(settled(before, bans=False), settled(after[name], bans=False)) == []

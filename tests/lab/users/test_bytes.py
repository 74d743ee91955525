"""Bytes that are not UTF-8, wherever a host may have them, are kept in the state and restored unchanged."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Stack
from tests.lab.users.test_users import keys, public

__all__ = ["keys"]

PROGRAM = """
import json, os, pulumi
from components.gai.resource import AddressPreference
from components.config.inventory import connections, connection_props
from components.sshd.resource import Sshd
from components.users.resource import LimitedUser
from components.firewall.ruleset.resource import Ruleset
(way,) = connections(pulumi.Config("stockade").require("hosts"), None).values()
common = {"host": way.name, "connection": connection_props(way)}
user = LimitedUser("deploy", {**common, **json.loads(os.environ["TEST_USER"])})
after = pulumi.ResourceOptions(depends_on=[user])
AddressPreference("gai", common, after)
rules = "*filter\\n:INPUT ACCEPT [0:0]\\n-A INPUT -p tcp --dport 22 -j ACCEPT\\nCOMMIT\\n"
Ruleset("ipv4", {**common, "family": "ipv4", "rules": rules, "persistent": False, "sshPorts": [22]}, after)
Sshd("sshd", {**common, "settings": "PermitRootLogin prohibit-password\\nX11Forwarding no\\n"}, after)
"""
# Files and accounts of others on the host, in Latin-1, with a lone U+FFFD and text that looks like our notation.
MADE = r"""
useradd -m -s /bin/sh deploy
e=$(printf '\351 \357\277\275 \357\277\275E9')
G="caf$e" awk 'BEGIN { FS = OFS = ":" } $1 == "deploy" { $5 = ENVIRON["G"] } { print }' /etc/passwd >/root/passwd
cat /root/passwd >/etc/passwd; rm /root/passwd
install -d -o deploy -g deploy -m 700 /home/deploy/.ssh
printf '# keys of caf%s\n%s caf%s\n' "$e" "$KEY" "$e" >/home/deploy/.ssh/authorized_keys
chown deploy: /home/deploy/.ssh/authorized_keys; chmod 600 /home/deploy/.ssh/authorized_keys
printf '# caf%s\n' "$e" >>/etc/gai.conf
iptables -A INPUT -s 192.0.2.1 -m comment --comment "caf$e" -j DROP
printf '# caf%s\n' "$e" >>/etc/ssh/sshd_config
printf '# caf%s\n' "$e" >/etc/sudoers.d/other; chmod 440 /etc/sudoers.d/other
printf '# caf%s\n' "$e" >/etc/sudoers.d/zz-stockade-deploy; chmod 440 /etc/sudoers.d/zz-stockade-deploy
"""
ALL = """\
iptables-save | sed '/^#/d; s/\\[.*//' | base64
base64 /etc/passwd /home/deploy/.ssh/authorized_keys /etc/gai.conf /etc/ssh/sshd_config /etc/sudoers.d/*
stat -c '%n %a %U %G' /home/deploy/.ssh/* /etc/gai.conf /etc/ssh/sshd_config /etc/sudoers.d/*
"""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("bytes1")


def test_bytes_that_are_no_utf8_survive(
    host: LabHost, keys: Callable[[str], Path], new_stack: Callable[..., Stack]
) -> None:
    two = " ".join(public(keys("two")).split()[:2])
    host.exec(f"KEY='{two}'\n{MADE}")
    before = host.exec(ALL).stdout
    stack = new_stack(host, program=PROGRAM)
    stack.configure(hosts={host.name: entry(host)})
    user = {"name": "deploy", "keys": [public(keys("one"))], "sudo": "nopasswd"}
    stack.environment["TEST_USER"] = json.dumps(user)
    stack.up()
    stack.refresh()
    stack.unchanged()
    # drift in such bytes is found, shown and corrected
    stack.environment["TEST_USER"] = json.dumps(
        {**user, "exclusiveKeys": True, "keys": [*user["keys"], f"{two} caf\ufffdE9"]}
    )
    stack.up()
    host.exec("printf '%s x\\377\\n' 'ssh-ed25519 AAAA' >>/home/deploy/.ssh/authorized_keys")
    host.exec("sed -i 's/caf\\xe9/caf\\xe8/' /home/deploy/.ssh/authorized_keys")
    host.exec("iptables -A INPUT -s 192.0.2.2 -m comment --comment \"$(printf 'caf\\350')\" -j DROP")
    stack.refresh()
    assert '192.0.2.2/32 -m comment --comment "caf\ufffdE8"' in stack.preview(check=False)
    assert "caf\ufffdE8" in stack.preview(check=False)
    stack.up()
    stack.unchanged()
    assert b"caf\xe9\n" in host_bytes(host, "/home/deploy/.ssh/authorized_keys")
    stack.destroy()
    assert host.exec(ALL).stdout == before


def host_bytes(host: LabHost, path: str) -> bytes:
    return base64.b64decode(host.exec(f"base64 {path}").stdout)

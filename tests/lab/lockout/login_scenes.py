"""Scenes for the other things that a login depends on: sshd's settings, and the admin's account."""

import re
import socket
from typing import Any

from tests.lab.lockout.scene import Scene

_HEAD = """\
import pulumi
from components.config.inventory import connection_props, connections
from components.sshd.resource import Sshd
from components.users.resource import LimitedUser

config = pulumi.Config("stockade")
(way,) = connections(config.require_object("hosts"), None).values()
common = {"host": way.name, "connection": connection_props(way), "confirmWithin": config.require_int("within")}
"""
_ADMIN = """\
useradd -m -s /bin/bash deploy
usermod -p '*' deploy
install -d -m 700 -o deploy -g deploy /home/deploy/.ssh
install -m 600 -o deploy -g deploy /root/.ssh/authorized_keys /home/deploy/.ssh/authorized_keys
echo 'deploy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy
"""


class _LoginScene(Scene):
    """A host with logins as deploy, who may use sudo."""

    user = "deploy"
    made_by = _ADMIN

    def _configure(self, port: int = 22, **settings: Any) -> None:
        key = str(self.host.key_file)
        entry = {
            "address": self.host.ipv4,
            "hostKey": self.host.host_key,
            "connectTimeout": 5,
            "perDialTimeout": 2,
            "admin": {"user": "deploy", "privateKeyFile": key, "port": port},
            "bootstrap": {"user": "root", "privateKeyFile": key},
        }
        self.stack.configure(hosts={self.host.name: entry}, within=self.limit, **settings)


class SshdScene(_LoginScene):
    """Settings that are visible in sshd's banner: whether it names its distribution."""

    program = _HEAD + 'Sshd("sshd", {**common, "admin": "deploy", "settings": config.require("sshd")})\n'
    before = "DebianBanner no\nMaxAuthTries 5\n"
    after = "DebianBanner yes\nMaxAuthTries 4\n"

    def declare(self, wanted: str, **more: Any) -> None:
        """Declare lines of sshd_config; `port`: the admin's port."""
        self._configure(sshd=wanted, **more)

    def in_force(self) -> str:
        """Ask the running sshd."""
        with socket.create_connection((self.host.ipv4, 22), 10) as line:
            return "after" if b"Debian" in line.recv(256) else "before"

    def at_boot(self) -> str:
        """Read the files."""
        told = self.host.exec("mkdir -p /run/sshd; sshd -T | grep -i maxauthtries; ls /etc/ssh/sshd_config.d").stdout
        named = {"maxauthtries 5": "before", "maxauthtries 4": "after"}
        return next((name for text, name in named.items() if text in told), told)

    def in_state(self) -> str:
        """Read the settings."""
        settings = self._outputs("Sshd").get("settings")
        return {self.before: "before", self.after: "after"}.get(settings, str(settings))


class UserScene(_LoginScene):
    """The admin's account, and a group that it is added to."""

    program = _HEAD + (
        'LimitedUser("deploy", {**common, "name": "deploy", "sudo": "nopasswd", **config.require_object("account")})\n'
    )
    before = {"groups": ["adm"]}
    after = {"groups": ["adm", "games"]}

    def declare(self, wanted: dict[str, Any], **more: Any) -> None:
        """Declare properties of the account in addition to its key."""
        key = self.host.key_file.with_suffix(".pub").read_text().strip()
        self._configure(account={"keys": [key], **wanted}, **more)

    def in_force(self) -> str:
        """Look the account up."""
        told = self.host.exec("getent passwd deploy; id -Gn deploy; cat /etc/sudoers.d/zz-stockade-deploy").stdout
        if not re.search(":/home/deploy:/bin/bash\ndeploy .*adm.*\n# Written by Stockade", told):
            return told
        return "after" if "games" in told else "before"

    def at_boot(self) -> str:
        """The same: it is all in files."""
        return self.in_force()

    def in_state(self) -> str:
        """Read the groups."""
        groups = self._outputs("LimitedUser").get("groups")
        return {("adm",): "before", ("adm", "games"): "after"}.get(tuple(groups or ()), str(groups))

"""sshd's settings on lab hosts: the output of `sshd -T`, real logins, and every file restored."""

import asyncio
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import asyncssh
import pytest

from local.lab.api import LabHost
from tests.lab.stack import Stack

PROGRAM = """
import json, pulumi
from components.config.inventory import connections, connection_props
from components.sshd.resource import Sshd
from components.sshd.settings import SshdSettings

config = pulumi.runtime.config.CONFIG.get()
(way,) = connections(config["stockade:hosts"], None).values()
admin = way.admin.user if way.admin else ""
settings = SshdSettings.model_validate(json.loads(config.get("stockade:sshd", "{}")))
sshd = Sshd("sshd", {**settings.props(way.name, admin), "connection": connection_props(way)})
pulumi.export("settings", sshd.settings)
"""
PASSWORD = "correct horse"
ADMIN = f"""
useradd -m -s /bin/bash deploy
echo 'deploy:{PASSWORD}' | chpasswd
install -d -m 700 -o deploy -g deploy /home/deploy/.ssh
install -m 600 -o deploy -g deploy /root/.ssh/authorized_keys /home/deploy/.ssh/authorized_keys
echo 'deploy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy
"""
CLOUD_IMAGE = """
printf 'PasswordAuthentication yes\\n' >/etc/ssh/sshd_config.d/50-cloud-init.conf
chmod 640 /etc/ssh/sshd_config.d/50-cloud-init.conf
chgrp games /etc/ssh/sshd_config.d/50-cloud-init.conf
printf 'Match Address 198.51.100.0/24\\n    PasswordAuthentication yes\\n    KbdInteractiveAuthentication yes\\n' \\
    >>/etc/ssh/sshd_config
printf 'Match User root\\n    PermitRootLogin yes' >>/etc/ssh/sshd_config
systemctl restart ssh
"""
SELINUX = """
mount -t tmpfs tmpfs /usr/local/sbin
cd /usr/local/sbin
echo 22 >labels
echo '#!/bin/sh' >selinuxenabled
cat >semanage <<'EOF'
#!/bin/sh
cd /usr/local/sbin
for port in "$@"; do :; done
case "$2" in
    -l) echo "ssh_port_t                     tcp      $(paste -sd, labels | sed 's/,/, /g')" ;;
    -a) echo "$port" >>labels ;;
    -d) sed -i "/^$port$/d" labels ;;
esac
EOF
chmod +x semanage selinuxenabled
"""
WITHOUT_INCLUDE = """\
#!/bin/sh
case "$*" in
    '-t -f /dev/stdin') exit 255 ;;
esac
exec /usr/sbin/sshd "$@"
"""
SLOW = """\
#!/bin/sh
if [ "$1" = reload ]; then touch /run/reloading; exec sleep 60; fi
exec /usr/bin/systemctl "$@"
"""
BY_SOCKET = "systemctl disable --now ssh.service; systemctl enable --now ssh.socket"


@pytest.fixture(scope="module", params=["sshd1"])
def host(bring_up: Callable[[str], LabHost], request: pytest.FixtureRequest) -> LabHost:
    return bring_up(request.param)


@pytest.fixture(autouse=True)
def _pristine(host: LabHost) -> Iterator[None]:
    host.exec(ADMIN)
    yield
    host.port = 22
    host.reset()


@pytest.fixture
def stack(new_stack: Callable[..., Stack], host: LabHost) -> Stack:
    made = new_stack(host, program=PROGRAM)
    configure(made, host)
    return made


def configure(stack: Stack, host: LabHost, port: int = 22, **sshd: Any) -> None:
    """Write the stack config: deploy as admin on `port`, root as bootstrap on 22."""
    key = str(host.key_file)
    stack.configure(
        hosts={
            host.name: {
                "address": host.ipv4,
                "hostKey": host.host_key,
                "connectTimeout": 10,
                "admin": {"user": "deploy", "privateKeyFile": key, "port": port},
                "bootstrap": {"user": "root", "privateKeyFile": key},
            }
        },
        sshd=sshd,
    )


def lets_in(host: LabHost, user: str, how: str, port: int = 22) -> bool:
    """Try a real login; `how` is `publickey`, `password` or `keyboard-interactive`."""

    async def attempt() -> bool:
        secrets = {"password": host.password if user == "root" else PASSWORD}
        if how == "publickey":
            secrets = {"client_keys": [str(host.key_file)]}
        else:
            secrets["client_keys"] = None
        try:
            async with asyncssh.connect(
                host.ipv4, port, username=user, known_hosts=None, agent_path=None, config=None,
                preferred_auth=how, login_timeout=20, **secrets,
            ) as line:  # fmt: skip
                return (await line.run("id -un")).stdout == f"{user}\n"
        except asyncssh.PermissionDenied:
            return False

    return asyncio.run(attempt())


def offered(host: LabHost, user: str, port: int = 22) -> set[str]:
    """Ask sshd which authentication methods it accepts from `user`."""
    asked = asyncssh.get_server_auth_methods(host.ipv4, port, username=user, config=None)
    return set(asyncio.run(asyncio.wait_for(asked, 20)))


def in_force(host: LabHost, user: str = "deploy") -> dict[str, str]:
    """Read `sshd -T` for a login from outside, without our code."""
    told = host.exec(f"mkdir -p /run/sshd; sshd -T -C user={user},host=o,addr=198.51.100.2,laddr=::1,lport=22").stdout
    rows = (line.split(" ", 1) for line in told.splitlines() if " " in line)
    return {keyword.lower(): value for keyword, value in rows}


def files(host: LabHost) -> str:
    """List every file of sshd's configuration, and our files: content, owner and mode."""
    return host.exec(
        "cd /etc; find ssh systemd/system /var/lib/stockade \\( -name ssh_host\\* -o -name guard.log \\) -prune "
        "-o -type f "
        "-exec stat -c '%n %a %U:%G' {} + -exec md5sum {} + 2>/dev/null | sort; ls -d systemd/system/ssh*.d",
        check=False,
    ).stdout


def test_only_the_admin_with_a_key_gets_in_whatever_a_cloud_image_says(host: LabHost, stack: Stack) -> None:
    host.exec(CLOUD_IMAGE)
    before = files(host)
    assert lets_in(host, "root", "password")
    assert lets_in(host, "deploy", "password")
    assert lets_in(host, "deploy", "keyboard-interactive")
    with subprocess.Popen(
        ["ssh", "-F", "/dev/null", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-i",
         str(host.key_file), f"root@{host.ipv4}", "echo ready; read line; echo still $line"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as session:  # fmt: skip
        assert session.stdin
        assert session.stdout
        assert session.stdout.readline() == "ready\n"
        stack.up()
        assert session.communicate("here\n", timeout=20)[0] == "still here\n"

    assert lets_in(host, "deploy", "publickey")
    assert not lets_in(host, "root", "publickey")
    assert offered(host, "deploy") == {"publickey"}
    for user in ("root", "deploy"):
        assert not lets_in(host, user, "password")
        assert not lets_in(host, user, "keyboard-interactive")
        told = in_force(host, user)
        assert told["permitrootlogin"] == told["passwordauthentication"] == told["kbdinteractiveauthentication"] == "no"
    stack.refresh()
    stack.unchanged()

    host.reboot()
    assert lets_in(host, "deploy", "publickey")
    assert offered(host, "deploy") == {"publickey"}
    stack.destroy()
    assert files(host) == before
    assert lets_in(host, "root", "password")
    assert lets_in(host, "deploy", "keyboard-interactive")


def test_every_input_can_be_updated_and_what_is_changed_by_hand_is_shown_and_taken_back(
    host: LabHost, stack: Stack
) -> None:
    before = files(host)
    stack.up()
    configure(
        stack,
        host,
        permitRootLogin="prohibit-password",
        passwordAuthentication=True,
        settings={"MaxAuthTries": 3, "AllowUsers": ["deploy", "root"], "LoginGraceTime": "1m", "AcceptEnv": "LANG",
                  "Subsystem": "sftp internal-sftp", "DebianBanner": False},
    )  # fmt: skip
    diff = stack.preview().output
    assert changed_lines(diff) == [
        "+ AcceptEnv LANG",
        "+ AllowUsers deploy",
        "+ AllowUsers root",
        "+ DebianBanner no",
        "- KbdInteractiveAuthentication no",
        "+ LoginGraceTime 1m",
        "+ MaxAuthTries 3",
        "- PasswordAuthentication no",
        "+ PasswordAuthentication yes",
        "- PermitRootLogin no",
        "+ PermitRootLogin prohibit-password",
        "+ Subsystem sftp internal-sftp",
    ]
    stack.up()
    told = in_force(host)
    assert told["maxauthtries"] == "3"
    assert told["logingracetime"] == "60"
    assert told["subsystem"] == "sftp internal-sftp"
    assert lets_in(host, "root", "publickey")
    assert not lets_in(host, "root", "password")
    assert lets_in(host, "deploy", "password")

    # a line in our file, one before it, another user, a Match block: only declared settings in force count
    host.exec(
        "cd /etc/ssh; sed -i 's/^MaxAuthTries .*/MaxAuthTries 5/; s/^    MaxAuthTries .*/    MaxAuthTries 5/;"
        "/DebianBanner/d' sshd_config.d/00-stockade.conf; echo 'AllowUsers mallory deploy' >sshd_config.d/90-mine.conf;"
        "printf 'X11Forwarding no\\nMatch User deploy\\n    AllowTcpForwarding no\\n' >>sshd_config.d/90-mine.conf;"
        "sed -i 's/^Include.*/LoginGraceTime 90\\n&/' sshd_config"
    )
    stack.refresh()
    shown = changed_lines(stack.preview(check=False).output)
    assert [line for line in shown if line != "- DebianBanner yes"] == [  # newer versions print it
        "- AllowUsers mallory",
        "+ DebianBanner no",
        "- LoginGraceTime 90",
        "+ LoginGraceTime 1m",
        "- MaxAuthTries 5",
        "+ MaxAuthTries 3",
    ]
    stack.up()
    told = host.exec("sshd -T -C user=deploy,host=o,addr=198.51.100.2,laddr=::1,lport=22").stdout.lower()
    assert re.findall("allowusers (.*)", told) == ["deploy", "root"]
    assert "maxauthtries 3" in told
    assert "logingracetime 60" in told
    assert "allowtcpforwarding no" in told
    stack.refresh()
    stack.unchanged()

    host.exec("sed -i 's/mallory deploy/mallory/' /etc/ssh/sshd_config.d/90-mine.conf")
    result = stack.destroy(check=False)  # only mallory could log in then
    assert result.status != 0
    assert "sshd: the change was not kept: with it in force, no new login worked" in result
    assert lets_in(host, "deploy", "publickey")
    host.exec("sed -i 's/mallory/mallory deploy/' /etc/ssh/sshd_config.d/90-mine.conf")
    stack.destroy()
    assert host.exec("cat /etc/ssh/sshd_config.d/90-mine.conf").stdout.startswith("AllowUsers mallory deploy\nX11")
    host.exec("cd /etc/ssh; rm sshd_config.d/90-mine.conf; sed -i '/^LoginGraceTime/d' sshd_config")
    assert files(host) == before


def test_nothing_is_changed_before_the_admin_has_proved_its_login(host: LabHost, stack: Stack) -> None:
    before = files(host).splitlines()

    def refused(*parts: str, because: str = "", again: str = "", **sshd: Any) -> None:
        configure(stack, host, **sshd)
        host.exec(because or ":")
        result = stack.up(check=False)
        assert result.status != 0
        for part in parts:
            assert part in result
        assert "Traceback" not in result
        assert [line for line in files(host).splitlines() if "/var/lib/stockade" not in line] == before
        host.exec(again or ":")

    keys = "/home/deploy/.ssh/authorized_keys"
    refused(
        "nothing was changed", "deploy must be able to log in with a key and to use sudo", f"deploy@{host.ipv4}",
        because=f"mv {keys} {keys}.away", again=f"mv {keys}.away {keys}",
    )  # fmt: skip
    refused(
        "nothing was changed",
        "sudo",
        because="mv /etc/sudoers.d/deploy /root",
        again="mv /root/deploy /etc/sudoers.d",
    )
    refused(
        "settings: the admin would be locked out: AllowUsers root leaves out deploy",
        settings={"AllowUsers": ["root"]},
    )
    refused("nothing was changed", "AllowGroups wheel leaves out deploy", settings={"AllowGroups": ["wheel"]})
    refused("the declared settings: line 4: Bad configuration option: MaxTries", settings={"MaxTries": 3})
    refused("nothing was changed", "uses port 22", "admin: {port: 2222}", settings={"Port": 2222})
    assert lets_in(host, "root", "password")


def test_settings_that_lock_the_admin_out_are_put_back_at_once(host: LabHost, stack: Stack) -> None:
    prior = files(host)
    configure(stack, host, settings={"PubkeyAuthentication": False})
    result = stack.up(check=False)
    assert result.status != 0
    assert "sshd: the change was not kept: with it in force, no new login worked. Tried: " in result
    assert "the previous settings are in force again" in result
    assert files(host) == prior
    assert lets_in(host, "root", "password")

    configure(stack, host)
    stack.up()
    before = files(host)
    configure(stack, host, settings={"PubkeyAuthentication": False})
    assert "the previous settings are in force again" in stack.up(check=False)
    assert files(host) == before
    assert lets_in(host, "deploy", "publickey")
    configure(stack, host)
    stack.unchanged()


@pytest.mark.parametrize("activation", ["", BY_SOCKET])
def test_the_port_moves_without_a_gap(host: LabHost, stack: Stack, activation: str) -> None:
    host.exec(SELINUX)
    host.exec(activation or ":")
    before = files(host)
    configure(stack, host, 2222, settings={"Port": 2222})
    if not activation:
        host.exec("iptables -A INPUT -p tcp --dport 2222 -j REJECT --reject-with tcp-reset")
        configure(stack, host, 2222, settings={"Port": 2222}, confirmWithin=5)
        result = stack.up(check=False)
        assert result.status != 0
        assert "with it in force, no new login worked" in result
        assert "Does the firewall accept port 2222? It must do so before sshd moves there." in result
        assert "the previous settings are in force again" in result
        assert files(host) == before
        assert listening(host) == {22}
        host.exec("iptables -F INPUT")
        configure(stack, host, 2222, settings={"Port": 2222})

    stack.up()
    assert listening(host) == {2222}
    assert offered(host, "deploy", 2222) == {"publickey"}
    assert lets_in(host, "deploy", "publickey", 2222)
    assert host.exec("cat /usr/local/sbin/labels").stdout == "22\n2222\n"
    if activation:
        configure(stack, host, 2222, settings={"Port": [2222, 22]})
        stack.up()
        assert listening(host) == {22, 2222}
        host.exec(
            "sed -i '/:22$/d' /etc/systemd/system/ssh.socket.d/zz-stockade.conf; systemctl daemon-reload;"
            "systemctl stop ssh.socket ssh.service; systemctl start ssh.socket"
        )
        stack.refresh()
        assert changed_lines(stack.preview(check=False).output) == ["+ Port 22"]
        stack.up()
        assert listening(host) == {22, 2222}
    else:
        stack.refresh()
        stack.unchanged()

    stack.destroy()
    assert listening(host) == {22}
    assert files(host) == before
    assert host.exec("cat /usr/local/sbin/labels").stdout == "22\n"


@pytest.mark.parametrize("include", [True, False])
def test_without_a_drop_in_folder_that_comes_first_a_block_does(host: LabHost, stack: Stack, include: bool) -> None:
    host.exec(CLOUD_IMAGE)
    host.exec(
        "cd /etc/ssh; sed -i 's/^Include.*/MaxAuthTries 6\\n&/' sshd_config; printf '\\nPort 22' >sshd_config.d/1.conf"
    )
    if not include:  # OpenSSH before 8.2
        host.exec("sed -i '/^Include/d' /etc/ssh/sshd_config")
        host.exec(f"cat >/usr/local/sbin/sshd <<'EOF'\n{WITHOUT_INCLUDE}EOF\nchmod +x /usr/local/sbin/sshd")
    before = files(host)
    configure(stack, host, settings={"MaxAuthTries": 3, "Port": 22})
    stack.up()
    assert in_force(host)["maxauthtries"] == "3"
    assert offered(host, "deploy") == {"publickey"}
    assert not lets_in(host, "root", "publickey")
    main = host.exec("cat /etc/ssh/sshd_config").stdout
    assert main.startswith("# >>> Stockade\n" + ("Include /etc/ssh/stockade.conf\n" if include else "# Written by"))
    assert main.count("# >>> Stockade") == (1 if include else 2)
    stack.destroy()
    assert files(host) == before


def test_a_run_that_is_killed_before_sshd_is_reloaded_is_continued(host: LabHost, stack: Stack) -> None:
    before = files(host)
    host.exec(
        "mount -t tmpfs tmpfs /usr/local/sbin; cat >/usr/local/sbin/systemctl; chmod +x /usr/local/sbin/*", input=SLOW
    )
    with stack.running() as run:
        host.exec("for i in $(seq 600); do [ ! -e /run/reloading ] || exit 0; sleep 0.05; done; exit 1")
        run.kill()
    host.reboot(hard=True)
    assert files(host) != before
    stack.up()
    assert offered(host, "deploy") == {"publickey"}
    stack.destroy()
    assert files(host) == before


def changed_lines(output: str) -> list[str]:
    """The removed and added lines of settings in a diff, by keyword; each once, although input and output have them."""
    found = re.findall(r"^\s*([-+])\s+([A-Z][A-Za-z0-9]+ \S.*)$", output, re.M)
    return [
        f"{sign} {line}"
        for sign, line in sorted({*found}, key=lambda pair: (pair[1].split()[0], "-+".index(pair[0]), pair[1]))
    ]


def listening(host: LabHost) -> set[int]:
    """The ports on which something accepts TCP connections, according to ss."""
    return {int(port) for port in re.findall(r":(\d+)\s+\S+:\*", host.exec("ss -Hltn").stdout)}

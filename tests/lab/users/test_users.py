"""Users on lab hosts: real logins, real sudo, and what is left when they are gone."""

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Stack

pytestmark = pytest.mark.usefixtures("pristine")

PROGRAM = """
import json, os, pulumi
from components.config.inventory import connections, connection_props
from components.keys.resource import KeyPair
from components.users.resource import LimitedUser
from components.users.settings import UserSettings
config = json.loads(os.environ["TEST_SETTINGS"])  # not in the stack config, where it would stand in clear
(way,) = connections(pulumi.Config("stockade").require("hosts"), None).values()
made = [KeyPair("pair", config["pair"])] if "pair" in config else []
last = made
for user in config["users"]:
    settings = UserSettings.model_validate(user)
    props = settings.props(tuple(pair.public_key for pair in made))
    common = {"host": way.name, "connection": connection_props(way), **config.get("options", {})}
    user = LimitedUser(settings.name, {**common, **props}, pulumi.ResourceOptions(depends_on=last))
    last = made if "apart" in config else [user]
pulumi.export("fingerprint", made[0].fingerprint if made else "")
"""
SECRETS = ("first and 2nd: 'secret'", "another $ecret\\n", "pair passphrase")


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("users1")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make key pairs by name."""
    folder = tmp_path_factory.mktemp("keys")

    def key(name: str) -> Path:
        if not (folder / name).exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
        return folder / name

    return key


@pytest.fixture
def configured(new_stack: Callable[..., Stack], host: LabHost) -> Callable[..., Stack]:
    """Create the stack, or change its config: `configured({user}, ..., admin={...})`."""
    made: list[Stack] = []

    def configure(*users: dict[str, Any], admin: dict[str, Any] | None = None, **settings: Any) -> Stack:
        if not made:
            made.append(new_stack(host, program=PROGRAM))
        hosts = {host.name: entry(host, **({"admin": admin} if admin else {}))}
        made[0].configure(hosts=hosts)
        made[0].environment["TEST_SETTINGS"] = json.dumps({"users": users, **settings})
        return made[0]

    return configure


def public(key: Path) -> str:
    return key.with_name(key.name + ".pub").read_text().strip()


def log_in(lab: Lab, host: LabHost, user: str, key: Path, command: str = "id -un", stdin: str = "") -> tuple[int, str]:
    """Log in with the real ssh client, over the network, with this key alone."""
    options = ["BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none", "ConnectTimeout=10"]
    options += [f"UserKnownHostsFile={host.known_hosts}", "StrictHostKeyChecking=yes"]
    arguments = [part for option in options for part in ("-o", option)]
    done = subprocess.run(
        ["ssh", "-F", "none", *arguments, "-i", str(key), f"{user}@{host.ipv4}", command],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def accounts(host: LabHost) -> str:
    """Everything that accounts consist of, byte for byte, with owners and modes."""
    return host.exec(
        "cat /etc/passwd /etc/shadow /etc/group /etc/gshadow;"
        "for f in $(find /etc/sudoers.d /home /var/lib/stockade ! -name .sudo_as_admin_successful 2>/dev/null | sort);"
        "do stat -c '%n %a %U %G' $f; [ ! -f $f ] || cat $f; done"
    ).stdout


def deploy(keys: Callable[[str], Path], /, **more: Any) -> dict[str, Any]:
    return {"name": "deploy", "keys": [public(keys("one"))], "sudo": "nopasswd", **more}


def test_a_new_user_logs_in_with_the_key_and_is_gone_after_destroy(
    lab: Lab, host: LabHost, keys: Callable[[str], Path], configured: Callable[..., Stack], tmp_path: Path
) -> None:
    before = accounts(host)
    pair = {"path": str(tmp_path / "own" / "id"), "type": "ed25519", "passphrase": SECRETS[2]}
    bob = {"name": "bob.b", "keys": [public(keys("two"))], "password": SECRETS[0], "groups": ["adm"]}
    stack = configured(deploy(keys, removeHome=True), {**bob, "removeHome": True}, pair=pair)
    first = stack.up()
    assert log_in(lab, host, "deploy", keys("one"), "sudo -n id -u") == (0, "0")
    assert log_in(lab, host, "bob.b", keys("two"), "sudo -S -p '' id -u", SECRETS[0] + "\n") == (0, "0")
    assert log_in(lab, host, "bob.b", keys("two"), "sudo -n id -u")[0] != 0
    assert log_in(lab, host, "bob.b", keys("one"))[0] == 255
    shown = host.exec(
        "stat -c '%a %U' /home/deploy/.ssh /home/deploy/.ssh/authorized_keys; id -Gn deploy; id -Gn bob.b;"
        "getent shadow deploy bob.b | cut -c1-9; getent passwd deploy | cut -d: -f7; visudo -c"
    ).stdout.splitlines()
    assert shown[:4] == ["700 deploy", "600 deploy", "deploy sudo", "bob.b adm sudo"]
    assert shown[4:7] == ["deploy:*:", "bob.b:$y$", "/bin/bash"]
    # without PAM, sshd accepts no key for a locked account
    host.exec("echo 'UsePAM no' >/etc/ssh/sshd_config.d/10-pam.conf; systemctl restart ssh")
    host.wait_for_ssh()
    assert log_in(lab, host, "deploy", keys("one")) == (0, "deploy")
    host.exec("rm /etc/ssh/sshd_config.d/10-pam.conf; systemctl restart ssh")
    host.wait_for_ssh()
    private = Path(pair["path"])
    assert private.stat().st_mode & 0o777 == 0o600
    opened = subprocess.run(
        ["ssh-keygen", "-y", "-P", SECRETS[2], "-f", private], capture_output=True, text=True, check=True
    )
    assert opened.stdout.split()[1] in host.exec("cat /home/bob.b/.ssh/authorized_keys").stdout
    second = stack.up()
    assert "unchanged" in second
    refreshed = stack.refresh()
    stack.unchanged()
    assert_no_secret_kept(stack, private)
    gone = stack.destroy()
    assert accounts(host) == before
    assert private.exists()
    for output in (first, second, refreshed, gone):
        assert_no_secret(output.output, private)


def assert_no_secret_kept(stack: Stack, private: Path | None = None) -> None:
    """Search the state, its backups and its history."""
    files = [file for file in (stack.folder / ".state").rglob("*") if file.is_file()]
    assert any("LimitedUser" in file.read_text(errors="replace") for file in files)
    for file in files:
        assert_no_secret(file.read_text(errors="replace"), private)


def assert_no_secret(text: str, private: Path | None = None) -> None:
    for secret in SECRETS:
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text
    if private is not None:
        assert private.read_text().splitlines()[3] not in text


ADOPTED = """\
groupadd staff2
useradd -m -s /bin/sh -G adm deploy
echo 'deploy:their own' | chpasswd
usermod -L -e 1 -f 5 deploy
chage -d 19000 -M 30 deploy
mkdir -m 755 ~deploy/.ssh
printf '# mine\\n\\ncommand="false" %s\\n%s' "$ONE" "$TWO" >~deploy/.ssh/authorized_keys
chown deploy:adm ~deploy/.ssh/authorized_keys
chown deploy: ~deploy/.ssh
chmod 770 ~deploy
"""


def test_an_adopted_user_gets_what_is_declared_and_is_given_back_as_it_was(
    lab: Lab, host: LabHost, keys: Callable[[str], Path], configured: Callable[..., Stack]
) -> None:
    lines = f"ONE={shlex.quote(public(keys('one')))} TWO={shlex.quote(public(keys('two')))}"
    host.exec(f"{lines}\n{ADOPTED}")
    before = accounts(host)
    assert log_in(lab, host, "deploy", keys("one"))[0] == 255
    stack = configured(deploy(keys), options={"existing": "fail"})
    assert "the account already exists" in stack.up(check=False)
    configured(deploy(keys))
    stack.up()
    assert log_in(lab, host, "deploy", keys("one"), "sudo -n id -u") == (0, "0")
    file = host.exec("cat ~deploy/.ssh/authorized_keys").stdout
    assert file == f"# mine\n\n{public(keys('one'))}\n{public(keys('two'))}"

    # every input changed
    new = deploy(keys, keys=[f'from="203.0.113.1" {public(keys("one"))}', public(keys("three"))], exclusiveKeys=True)
    new |= {
        "password": SECRETS[1],
        "sudo": "password",
        "shell": "/bin/bash",
        "home": "/srv/deploy",
        "groups": ["staff2"],
    }
    configured(new)
    assert "[secret]" in stack.preview()
    stack.up()
    shown = log_in(
        lab, host, "deploy", keys("three"), "id -Gn; echo $SHELL; pwd; sudo -S -p '' id -u", SECRETS[1] + "\n"
    )
    assert shown == (0, "deploy adm sudo staff2\n/bin/bash\n/srv/deploy\n0")
    for refused in ("one", "two"):
        assert log_in(lab, host, "deploy", keys(refused))[0] == 255
    assert "unchanged" in stack.up()
    assert_no_secret_kept(stack)
    stack.destroy()
    host.exec("rm -rf /srv/deploy")  # the declared home stays unless its removal is declared
    assert accounts(host) == before


def test_drift_is_shown_line_by_line_and_repaired(
    lab: Lab, host: LabHost, keys: Callable[[str], Path], configured: Callable[..., Stack]
) -> None:
    user = deploy(keys, shell="/bin/bash", groups=["adm"])
    stack = configured(user)
    stack.up()
    # changes that the user may make are no drift
    host.exec(f"echo {shlex.quote(public(keys('two')))} >>~deploy/.ssh/authorized_keys; echo deploy:own | chpasswd")
    stack.refresh()
    stack.unchanged()
    host.exec(
        "sed -i 1d ~deploy/.ssh/authorized_keys; chmod 755 ~deploy/.ssh; chmod 644 ~deploy/.ssh/authorized_keys;"
        "usermod -s /bin/sh -e 1 deploy; gpasswd -d deploy adm; echo >/etc/sudoers.d/zz-stockade-deploy"
    )
    stack.refresh()
    diff = stack.preview(check=False).output
    for shown in ("keys", "sshMode", "keysMode", "shell", "enabled", "groups", "sudo"):
        assert shown in diff, diff
    stack.up()
    assert log_in(lab, host, "deploy", keys("one"), "sudo -n id -u") == (0, "0")
    assert log_in(lab, host, "deploy", keys("two"))[0] == 0
    modes = host.exec("stat -c %a ~deploy/.ssh ~deploy/.ssh/authorized_keys; id -Gn deploy").stdout.split()
    assert modes == ["700", "600", "deploy", "adm", "sudo"]
    stack.refresh()
    stack.unchanged()
    # the account is gone; the home must be deleted by somebody else
    host.exec("userdel deploy; rm /etc/sudoers.d/zz-stockade-deploy")
    stack.refresh()
    stack.up()
    assert log_in(lab, host, "deploy", keys("one"), "sudo -n id -u") == (0, "0")


def test_the_run_never_locks_its_own_login_out_and_can_delete_it(
    lab: Lab, host: LabHost, keys: Callable[[str], Path], configured: Callable[..., Stack]
) -> None:
    before = accounts(host)
    admin = {"user": "deploy", "privateKeyFile": str(keys("one"))}
    both = deploy(keys, keys=[public(keys("one")), public(keys("two"))])
    ann = {"name": "ann", "keys": [public(keys("two"))], "sudo": "none", "removeHome": True}
    stack = configured(both, ann, admin=admin)
    stack.up()
    logins = "journalctl -q -u ssh --no-pager | grep -c 'Accepted publickey for root' || :"
    as_root = host.exec(logins).stdout
    for change, why in (
        ({"keys": [public(keys("two"))]}, "its key SHA256:"),
        ({"keys": [public(keys("two"))], "exclusiveKeys": True}, "its key SHA256:"),
        ({"sudo": "none"}, "needs sudo"),
        ({"sudo": "password", "password": SECRETS[0]}, "sudoPassword"),
    ):
        configured(both | change, ann, admin=admin)
        refused = stack.up(check=False)
        assert refused.status != 0
        assert why in refused, refused.output
        assert "Traceback" not in refused
        assert log_in(lab, host, "deploy", keys("one"), "sudo -n id -u") == (0, "0")
    # a change whose fault shows only in a new login is rolled back
    line = f'from="203.0.113.1" {public(keys("one"))}'
    configured(both | {"keys": [line, public(keys("two"))]}, ann, admin=admin)
    refused = stack.up(check=False)
    assert "the previous settings are in force again" in refused, refused.output
    assert log_in(lab, host, "deploy", keys("one"), "sudo -n id -u") == (0, "0")
    host.exec("rm /var/lib/stockade/guard.log")  # kept on purpose
    configured(both | {"password": SECRETS[0], "shell": "/bin/bash", "removeHome": True}, ann, admin=admin)
    stack.up()
    assert host.exec(logins).stdout == as_root
    session = subprocess.Popen(
        [
            "ssh",
            "-F",
            "none",
            "-o",
            f"UserKnownHostsFile={host.known_hosts}",
            "-i",
            keys("one"),
            f"deploy@{host.ipv4}",
            "cat",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert session.stdin is not None
    assert session.stdout is not None
    session.stdin.write(b"in\n")
    session.stdin.flush()
    assert session.stdout.readline() == b"in\n"
    stack.destroy()
    assert session.wait(30) != 0  # a removed user does not stay logged in
    assert accounts(host) == before


def test_a_killed_run_is_continued(
    lab: Lab, host: LabHost, keys: Callable[[str], Path], configured: Callable[..., Stack]
) -> None:
    before = accounts(host)
    users = [deploy(keys, removeHome=True, password=SECRETS[0], groups=["adm"])]
    stack = configured(*users)
    host.exec("mv /usr/sbin/chpasswd /usr/sbin/chpasswd.real; mkfifo /run/go; chmod 600 /run/go")
    host.exec(
        "printf '#!/bin/sh\\ntouch /run/there\\ncat /run/go\\nexec /usr/sbin/chpasswd.real \"$@\"\\n' "
        ">/usr/sbin/chpasswd; chmod 755 /usr/sbin/chpasswd"
    )
    with stack.running() as run:
        host.exec("for i in $(seq 200); do [ ! -e /run/there ] || exit 0; sleep 0.1; done; exit 1")
        # neither the password nor its hash is on the host's command lines while it is set
        lines = host.exec("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' || :").stdout
        assert "chpasswd" in lines
        assert_no_secret(lines)
        run.kill()
    host.exec("mv /usr/sbin/chpasswd.real /usr/sbin/chpasswd; pkill -x cat || :")
    stack.run("cancel", "--yes", check=False)
    stack.up()
    assert log_in(lab, host, "deploy", keys("one"), "sudo -n id -u") == (0, "0")
    stack.destroy()
    assert accounts(host) == before

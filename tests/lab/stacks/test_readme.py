"""The README's files and commands for newcomers, verbatim, on a host that is not hardened yet."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.outside import listen, probe_ports
from tests.lab.stack import REPOSITORY, Result, Stack

ADDRESS, ME, KEY = "198.51.100.11", "203.0.113.7", "ssh-ed25519 AAAA..."
"""The README's placeholders for the reader's own values."""
STAGING = REPOSITORY / "stacks" / "Pulumi.staging.yaml"


def engines(*needed: str) -> list[Any]:
    missing = [name for name in needed if shutil.which(name) is None]
    cli = pytest.mark.skipif(bool(missing), reason=f"{' and '.join(missing)} not on PATH")
    return ["embedded", pytest.param("pulumi", marks=cli)]


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("readme1")


def blocks(heading: str) -> list[str]:
    """The indented blocks of one section of the README."""
    text = (REPOSITORY / "README.md").read_text()
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", section, re.M)
    return [re.sub(r"^    ", "", block, flags=re.M).strip("\n") + "\n" for block in found]


class Newcomer:
    """A fresh clone, a home with a key, and a shell."""

    def __init__(self, folder: Path, engine: str, host: LabHost) -> None:
        self.clone, home = folder / "stockade", folder / "home"
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        for name in listed.stdout.splitlines():
            if (REPOSITORY / name).is_file() and not name.startswith(("tests/", "bench/")):
                (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY / name, self.clone / name)
        (self.clone / ".venv").symlink_to(REPOSITORY / ".venv")  # instead of `make`
        os.utime(self.clone / "requirements.lock", (0, 0))
        (home / ".ssh").mkdir(parents=True)
        for source, name in ((host.key_file, "id_ed25519"), (Path(f"{host.key_file}.pub"), "id_ed25519.pub")):
            shutil.copy(source, home / ".ssh" / name)
        options = f"-F /dev/null -o UserKnownHostsFile={home}/known -o StrictHostKeyChecking=accept-new"
        ssh = f"alias ssh='ssh -q {options} -i {home}/.ssh/id_ed25519'\n"  # ssh ignores HOME
        self._before = ssh
        self._environment = {**os.environ, "HOME": str(home), "STOCKADE_ENGINE": engine, "NO_COLOR": "1"}
        for name in ("PULUMI_CONFIG_PASSPHRASE", "SSH_AUTH_SOCK", "MAKEFLAGS", "MAKELEVEL"):
            self._environment.pop(name, None)

    def types(self, commands: str) -> Result:
        """Type commands into a shell, in the clone."""
        done = subprocess.run(
            ["sh", "-c", f"set -e\n{self._before}\n{commands}"], cwd=self.clone, env=self._environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
            check=False,
        )  # fmt: skip
        return Result(done.returncode, done.stdout)


@pytest.mark.parametrize("engine", engines("pulumi"))
def test_your_own_hosts_literally(host: LabHost, tmp_path: Path, engine: str) -> None:
    host.reset()
    config, asking, applying = blocks("Your own hosts")
    newcomer = Newcomer(tmp_path, engine, host)
    answers = [newcomer.types(line.replace(ADDRESS, host.ipv4)) for line in asking.splitlines()]
    assert [answer.status for answer in answers] == [0, 0], answers
    scanned = next(line for line in answers[0].output.splitlines() if not line.startswith("#"))
    own = {ADDRESS: host.ipv4, KEY: scanned.partition(" ")[2], ME: answers[1].output.split()[0]}
    for placeholder, value in own.items():
        assert placeholder in config
        config = config.replace(placeholder, value)
    (newcomer.clone / "stacks" / "Pulumi.mine.yaml").write_text(config)

    export, *makes = applying.splitlines()
    assert [line.split()[1] for line in makes][-2:] == ["preview", "up"]
    for make in makes:
        done = newcomer.types(f"{export}\n{make}")
        assert done.status == 0, done.output
        if make.split()[1] not in ("preview", "up"):
            continue
        assert "[mandatory]" not in done.output
        assert "stockade@v" in done.output, "no pack was asked"
        assert "no policy pack checks" not in done.output
    assert host.exec("sshd -T | grep -i ^permitrootlogin").stdout.lower().split() == ["permitrootlogin", "no"]
    assert f"-A INPUT -s {own[ME]}/32 -p tcp -m tcp --dport 22 " in host.iptables_save()
    with (newcomer.clone / "stacks" / "Pulumi.mine.yaml").open("a") as file:  # users append to it
        file.write("  stockade:timeSync: {}\n")
    again = newcomer.types(f"{export}\nmake preview STACK=mine")
    assert again.status == 0, again.output
    assert "1 changes" not in again.output
    destroyed = newcomer.types(f"{export}\nmake destroy STACK=mine")
    assert destroyed.status == 0, destroyed.output
    assert "-A" not in host.iptables_save()


@pytest.mark.parametrize("engine", engines("pulumi"))
def test_the_shipped_staging_stack_with_its_policies_and_upgrade(host: LabHost, tmp_path: Path, engine: str) -> None:
    """Unchanged but for the hosts, keys and logins, which are the lab's."""
    host.reset()
    shipped: Mapping[str, Any] = yaml.load(STAGING.read_text(), yaml.BaseLoader)["config"]
    settings = {key.removeprefix("stockade:"): value for key, value in shipped.items()}
    assert settings["upgrade"]["trigger"]
    stack = Stack(tmp_path / "project", name="staging", environment={"STOCKADE_ENGINE": engine})
    (stack.folder / "policies").symlink_to(REPOSITORY / "policies")
    shutil.copy(STAGING.parent / "policy.staging.json", stack.folder / "stacks")
    way = entry(host, admin={"user": "deploy", "privateKeyFile": str(host.key_file)})
    users = [{**user, "keyFiles": [f"{host.key_file}.pub"]} for user in settings["users"]]
    stack.configure(**{**settings, "hosts": {host.name: way}, "defaults": {}, "users": users})
    up = stack.up()
    assert "stockade@v" in up
    upgrades = [one for one in stack.state() if one["type"].endswith(":SystemUpgrade")]
    assert len(upgrades) == 1
    assert "no reboot due" in stack.run("output").output
    stack.unchanged()
    stack.destroy()


def test_a_block_that_is_not_there_is_left_out(host: LabHost, new_stack: Callable[..., Stack], lab: Lab) -> None:
    host.reset()
    stack = new_stack(host, fail2ban={})
    stack.up()
    assert "sshd" in host.exec("fail2ban-client status").stdout
    listen(host, 8443)
    assert {answers[8443] for answers in probe_ports(lab, host, [8443]).values()} == {"open"}
    assert "-A INPUT -j REJECT" not in host.iptables_save()
    stack.destroy()

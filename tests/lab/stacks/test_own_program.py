"""The examples of docs/own-program.md, with each engine."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.engine.state.secrets import Crypter
from local.lab.api import LabHost
from tests.lab.stack import PASSPHRASE, REPOSITORY, Result

ENGINES = [
    "embedded",
    pytest.param("pulumi", marks=pytest.mark.skipif(shutil.which("pulumi") is None, reason="pulumi is not on PATH")),
]
CHECKOUT = ("components", "hosts", "rules", "provider", "local", "policies", ".venv")


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("own1")


class Example:
    """One of the examples, in a checkout elsewhere."""

    def __init__(self, checkout: Path, engine: str, name: str, config: dict[str, Any], secret: str = "") -> None:
        self.folder, self.engine = checkout / "examples" / name, engine
        self.judged = name == "own-program"  # the pack requires the chapters that the other one omits
        checkout.mkdir()
        for entry in CHECKOUT:
            (checkout / entry).symlink_to(REPOSITORY / entry)
        shutil.copytree(REPOSITORY / "examples" / name, self.folder)
        self.state = checkout / "state"
        self.state.mkdir()
        crypter = Crypter.new(PASSPHRASE)
        text = json.dumps(config).replace(json.dumps(secret), json.dumps({"secure": crypter.encrypt(secret)}))
        written = {"encryptionsalt": crypter.salt, "config": json.loads(text)}
        (self.folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump(written))

    def run(self, command: str, *args: str) -> Result:
        """Run a command as documented."""
        words = command.split()
        if self.engine == "pulumi":
            pack = ["--policy-pack", "../../policies"] if self.judged and words[0] in ("up", "preview") else []
            argv, folder = ["pulumi", *words, "--stack", "dev", *pack, *args], self.folder
        else:
            where = ["--stack", "dev", "--cwd", f"examples/{self.folder.name}"]
            argv, folder = [sys.executable, "-m", "local", *words, *where, *args], self.folder.parents[1]
        environment = {
            **os.environ,
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "STOCKADE_ENGINE": self.engine,
            **({} if self.judged else {"STOCKADE_POLICIES": "off"}),
            "NO_COLOR": "1",
        }
        done = subprocess.run(
            argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
        )  # fmt: skip
        return Result(done.returncode, done.stdout)

    def done(self, command: str, *args: str) -> str:
        """The same, and it must succeed."""
        result = self.run(command, *args)
        assert result.status == 0, result.output
        return result.output


@pytest.mark.parametrize("engine", ENGINES)
def test_the_example_makes_a_machine_and_hardens_it(host: LabHost, tmp_path: Path, engine: str) -> None:
    key = host.key_file.read_text()
    server = {"address": host.ipv4, "hostKey": host.host_key, "privateKey": key}
    example = Example(tmp_path / "checkout", engine, "own-program", {"shop:server": server}, key)
    if engine == "pulumi":
        example.done("stack init", "--stack", "dev")
    told = [example.done("preview", "--diff")]  # address and keys are still unknown
    assert "Fail2Ban" in told[0]
    told += [example.done("up", "--yes", "--skip-preview" if engine == "pulumi" else "--yes")]
    assert "no policy pack checks" not in "".join(told)
    assert "stockade@v" in "".join(told)
    assert "-A INPUT -p tcp -m tcp --dport 443 " in host.iptables_save()
    assert "-A INPUT -j REJECT" in host.iptables_save()
    assert host.exec("sshd -T | grep -i ^permitrootlogin").stdout.lower().split() == ["permitrootlogin", "no"]
    assert host.exec("sudo -u deploy sudo -n id -u").stdout.strip() == "0"
    told += [example.done("refresh", "--yes"), example.done("preview", "--diff", "--expect-no-changes")]

    export = "stack export" if engine == "pulumi" else "export"
    state = example.done(export)
    told += [state, *(path.read_text() for path in example.state.rglob("*") if path.is_file())]
    resources = json.loads(state[state.index("{") :])["deployment"]["resources"]
    about = [one for one in resources if one.get("inputs", {}).get("host") == "web1"]
    assert len(about) > 6
    assert all("ciphertext" in json.dumps(one["inputs"]["connection"]) for one in about)
    secret = key.splitlines()[2]
    assert [number for number, text in enumerate(told) if secret in text] == []

    told += [example.done("destroy", "--yes")]
    assert secret not in told[-1]
    assert "-A" not in host.iptables_save()
    assert host.exec("id deploy || :").stdout == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_single_chapters_are_used_without_a_hardened_host(host: LabHost, tmp_path: Path, engine: str) -> None:
    before = host.exec("dpkg-query -W").stdout
    login = {"user": "root", "privateKeyFile": str(host.key_file)}
    reached = {"web1": {"address": host.ipv4, "hostKey": host.host_key, "admin": login}}
    example = Example(tmp_path / "checkout", engine, "single-chapters", {"chapters:hosts": reached})
    if engine == "pulumi":
        example.done("stack init", "--stack", "dev")
    example.done("up", "--yes")
    assert host.exec("fail2ban-client get sshd maxretry").stdout == "3\n"
    assert 'Unattended-Upgrade::Automatic-Reboot-Time "04:00";' in host.exec("apt-config dump").stdout
    assert host.exec("systemctl is-enabled chrony").stdout == "enabled\n"
    example.done("preview", "--diff", "--expect-no-changes")
    example.done("destroy", "--yes")
    assert host.exec("dpkg-query -W").stdout == before

"""Searches the state, outputs, errors and process lists for secrets.

On the host, strace(1) records the arguments of every program; on the operator's machine, an audit hook (PEP 578) of
every Python process does. Both see even the shortest-lived processes.
"""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Secret, Stack
from tests.lab.traced import SSHD, SYSTEMD, trace, traced

# With quotes and blanks, so that a value quoted for sh or JSON differs; the search is for the plain part.
PLAIN = {"password": "Correct7731Horse", "new password": "Battery8842Staple", "passphrase": "Orchid9953Lantern"}
TYPED = {name: f'it\'s "{plain}" $HOME' for name, plain in PLAIN.items()}
PACKAGES = "strace sudo iptables-persistent fail2ban python3-systemd unattended-upgrades"

AUDIT = """
import os, sys

def note(text):
    log = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(log, (text + "\\n").encode(errors="replace"))
    os.close(log)

def hook(event, args):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn"):
        note(f"{{event}} {{args[0]!r}} {{args[1]!r}}")
    elif event == "os.system":
        note(f"{{event}} {{args[0]!r}}")

note(f"process {{sys.orig_argv!r}}")
sys.addaudithook(hook)
"""

# Prints all its arguments and input, and fails: such output of a program on the host must not be shown.
TELLTALE = "#!/bin/sh\ncat >&2\nexit 1\n"


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    host = bring_up("secret1")
    host.exec(f"DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends {PACKAGES} </dev/null")
    return host


def configure(stack: Stack, host: LabHost, key: Path, password: str, **more: object) -> None:
    way = entry(
        host,
        admin={
            "user": "deploy",
            "privateKeyFile": str(key),
            "privateKeyPassword": Secret(TYPED["passphrase"]),
            "sudoPassword": Secret(TYPED["password"]),
        },
        bootstrap={"user": "root", "password": Secret(host.password)},
    )
    stack.configure(
        hosts={host.name: way},
        keyPair={"path": str(key), "type": "ed25519", "passphrase": Secret(TYPED["passphrase"])},
        users=[{"name": "deploy", "sudo": "password", "password": Secret(TYPED["password"])}]
        + ([{"name": "second", "sudo": "password", "password": Secret(password)}] if password else []),
        firewall={},
        sshd={},
        fail2ban={},
        updates={},
        listeners={},
        **more,
    )


def found(text: str, secrets: dict[str, str]) -> list[str]:
    """The names of secrets in a text, in plain text or base64."""
    names = []
    for name, plain in secrets.items():
        coded = (base64.b64encode((" " * lead + plain).encode())[4:-4].decode() for lead in range(3))
        if any(form in text for form in (plain, *coded)):
            names.append(name)
    return names


def test_secrets_are_nowhere_to_be_read(host: LabHost, tmp_path: Path) -> None:
    log, hook, key = tmp_path / "operator.log", tmp_path / "hook", tmp_path / "key"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(AUDIT.format(log=str(log)))
    stack = Stack(tmp_path / "project", environment={"PYTHONPATH": str(hook)})
    trace(host, SYSTEMD, SSHD)
    told = {}
    configure(stack, host, key, "")
    told["preview"] = stack.preview().output
    told["up"] = stack.up().output
    configure(stack, host, key, TYPED["new password"], upgrade={"trigger": 1})
    told["second preview"] = stack.preview().output
    told["second up"] = stack.up().output
    host.exec("cat >/usr/local/sbin/chpasswd; chmod 755 /usr/local/sbin/chpasswd", input=TELLTALE)
    configure(stack, host, key, TYPED["new password"] + "!")
    failed = stack.up(check=False)
    assert failed.status != 0
    assert "second" in failed
    told["failed up"] = failed.output
    host.exec("rm /usr/local/sbin/chpasswd")
    told["refresh"] = stack.refresh().output
    told["export"] = stack.run("export").output
    told["state"] = "\n".join(path.read_text() for path in (stack.folder / ".state").rglob("*") if path.is_file())
    told["destroy"] = stack.destroy().output
    told["host's processes"] = traced(host)
    told["host's logs"] = host.exec("journalctl -q --no-pager; cat /var/log/*.log 2>/dev/null || :").stdout
    told["operator's processes"] = log.read_text()

    # make sure that the searched text is complete
    assert "useradd" in told["host's processes"] or "adduser" in told["host's processes"]
    assert "chpasswd" in told["host's processes"]
    assert "'-m', 'provider'" in told["operator's processes"]
    assert "ciphertext" in told["state"]
    secrets = {**PLAIN, "root's password": host.password, "private key": key.read_text().splitlines()[2]}
    assert {place: found(text, secrets) for place, text in told.items()} == {place: [] for place in told}

"""Record the state of a stack with every resource, as this release writes it: `make record-state`.

    python -m tests.record_state

Two lab hosts are hardened, exported, once as declared and once with drift, and restored. This writes
`tests/unit/recorded/states/VERSION.json` and `VERSION-drifted.json`, with VERSION from pyproject.toml, and
`VERSION-host.json`, the records on the first host. It refuses a version that CHANGELOG.md lists as released: users have
such states. tests/unit/test_contract.py checks how later releases read them.

Secrets stay encrypted, with the tests' passphrase; private keys and passwords are replaced first. Paths of this machine
are replaced, and any of its words that is left is an error.
"""

import json
import re
import socket
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.engine.state.secrets import Crypter
from local.engine.state.values import SIGNATURE
from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.stack import REPOSITORY, Secret, Stack

STATES = REPOSITORY / "tests" / "unit" / "recorded" / "states"
HOSTS = ("recorded1", "recorded2")
PASSWORD = "correct horse battery staple"
PROGRAM = """
import json, os
from components.host import HardenedHost
from components.keys.resource import KeyPair
from components.registry import Hardening
from components.stack_config import load
config = load()
pair = KeyPair("operator", config.key_pair.props())
for name, host in config.hosts.items():
    HardenedHost(name, wanted=config.hardening().on(host), keys=[pair.public_key])
HardenedHost("recorded2", json.loads(os.environ["LOGINS"]), Hardening.model_validate({"firewall": {"keep": "ufw"}}))
"""
CHAPTERS: dict[str, Any] = {
    "firewall": {
        "ipv6Mode": "reject",
        "sets": {"blocklist": {"entries": ["192.0.2.0/24"]}},
        "services": [{"name": "app", "ports": [8443]}],
    },
    "sysctl": {},
    "sshd": {},
    "fail2ban": {"maxretry": 3},
    "updates": {"rebootTime": "04:00"},
    "timeSync": {"daemon": "chrony"},
    "packages": {"absent": ["exim4-daemon-light", "rpcbind"]},
    "listeners": {},
    "upgrade": {"trigger": 1},
}
"""The chapters of the first host, beside its users."""
UFW = "DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends ufw </dev/null; ufw allow 22/tcp;"


def version() -> str:
    """Return the version of this checkout. Raises `SystemExit` if it is released."""
    number: str = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    if f"## [{number}]" in (REPOSITORY / "CHANGELOG.md").read_text("utf-8"):
        raise SystemExit(f"{number} is released: users have states like the recorded one. Record the next version.")
    return number


def declared(first: LabHost, folder: Path) -> dict[str, Any]:
    """Return a stack config with every chapter."""
    return {
        "hosts": {first.name: entry(first, admin={"user": "deploy", "privateKeyFile": str(first.key_file)})},
        "keyPair": {"path": str(folder / "id"), "passphrase": Secret(PASSWORD)},
        "users": [{"name": "deploy", "sudo": "nopasswd", "password": Secret(PASSWORD), "keyFiles": [_public(first)]}],
        **CHAPTERS,
    }


def _public(host: LabHost) -> str:
    return str(host.key_file.with_suffix(".pub"))


def export(stack: Stack) -> dict[str, Any]:
    """Return the stack's deployment."""
    text = stack.run("export").output
    found: dict[str, Any] = json.loads(text[text.index("{") :])
    return found


def records(host: LabHost) -> dict[str, Any]:
    """Return the records on a host: owners, as listed, and prior states."""
    kept = {kind: host.exec(f"ls /var/lib/stockade/{kind}").stdout.split() for kind in ("owner", "prior")}
    read = {kind: {name: _file(host, kind, name) for name in names} for kind, names in kept.items()}
    return {"owners": "".join(f"{name} {line}" for name, line in read["owner"].items()), "priors": read["prior"]}


def _file(host: LabHost, kind: str, name: str) -> str:
    return host.exec(["cat", f"/var/lib/stockade/{kind}/{name}"]).stdout


def written(name: str, content: dict[str, Any]) -> None:
    """Write one of the files."""
    STATES.mkdir(exist_ok=True)
    (STATES / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def scrubbed(state: Mapping[str, Any], words: Mapping[str, str], crypter: Crypter) -> dict[str, Any]:
    """Return a state without anything of this machine, whether in plain text or encrypted.

    `words`: replacements. Raises `SystemExit` for anything that must not be published.
    """

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            if SIGNATURE in value and "ciphertext" in value:
                plain = _replaced(crypter.decrypt(value["ciphertext"]), words)
                plain = re.sub(r"(-----BEGIN [A-Z ]+-----).*?(-----END)", r"\1\\nrecorded\\n\2", plain, flags=re.S)
                return {**value, "ciphertext": crypter.encrypt(plain)}
            return {_replaced(key, words): clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [clean(item) for item in value]
        return _replaced(value, words) if isinstance(value, str) else value

    done: dict[str, Any] = clean(state)
    text = json.dumps(done)
    own = ("PRIVATE KEY", PASSWORD, str(REPOSITORY), f"{Path.home()}/", *words)
    for word in (*map(re.escape, own), rf"\b{re.escape(socket.gethostname())}\b"):
        if re.search(word, text):
            raise SystemExit(f"the state still has {word!r} in clear: add it to `words`, or make it a secret")
    return done


def _replaced(text: str, words: Mapping[str, str]) -> str:
    for word, by in words.items():
        text = text.replace(word, by)
    return text


def main() -> None:
    """Record both states."""
    name, lab = version(), Lab()
    try:
        first, second = lab.up(HOSTS)
        second.exec(UFW + "ufw --force enable")
        with tempfile.TemporaryDirectory() as temporary:
            login = {"host": second.ipv4, "hostKey": second.host_key, "privateKey": second.key_file.read_text("utf-8")}
            stack = Stack(
                Path(temporary) / "project",
                environment={"LOGINS": json.dumps({"admin": {**login, "user": "root"}})},
                program=PROGRAM,
            )
            stack.configure(**declared(first, Path(temporary)))
            words = {str(first.key_file.parent): "/home/operator/keys", temporary: "/home/operator"}
            stack.up()
            for kind in ("", "-drifted"):
                if kind:
                    first.exec("usermod -s /bin/sh deploy; systemctl -q disable --now chrony")
                    stack.refresh()
                written(f"{name}{kind}", scrubbed(export(stack), words, stack.crypter))
            written(f"{name}-host", scrubbed(records(first), words, stack.crypter))
            stack.destroy()
    finally:
        lab.down(HOSTS)


if __name__ == "__main__":
    sys.exit(main())

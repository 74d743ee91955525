"""`python -m bench.packaged`: a run with nothing to do over both shells, in turn, with each engine.

No hosts are involved: the state is the recorded one of a host with every chapter (tests/unit/recorded/states), under
many names. The package's stack is that of this repository's program, moved over. YAML needs the CLI.
"""

import argparse
import json
import shutil
import statistics
import tempfile
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from pprint import pformat
from typing import Any

import yaml

from bench.measure import Measured, measure
from hosts.guard.record import fingerprint
from local.engine.state.secrets import Crypter
from tests.lab.packaged import Packaged
from tests.lab.stack import PASSPHRASE, Secret, Stack
from tests.record_state import CHAPTERS, PASSWORD, STATES

NAME = "recorded1"
UP = ("up", "--yes", "--skip-preview", "--expect-no-changes")
PROGRAM = """
import pulumi

class HardenedHost(pulumi.ComponentResource):
    enforced: pulumi.Output[dict]
    def __init__(self, name, props):
        super().__init__("stockade:index:HardenedHost", name, {{"enforced": None, **props}}, remote=True)

class KeyPair(pulumi.CustomResource):
    publicKey: pulumi.Output[str]
    def __init__(self, name, props):
        moved = pulumi.ResourceOptions(aliases=[pulumi.Alias(type_="pulumi-python:dynamic/stockade:KeyPair")])
        super().__init__("stockade:index:KeyPair", name, {{"publicKey": None, **props}}, moved)

word = pulumi.Config().require_secret("password")
pair = KeyPair("operator", {{"path": {pair!r}, "passphrase": word}})
hosts = {hosts}
for name, props in hosts.items():
    pulumi.export(name, HardenedHost(name, props).enforced)
"""
"""As with a generated SDK."""
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""Python compiles modules once, as for users."""
Run = Callable[[], Measured]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.packaged", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=10, help="hosts of the stack (10)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each, in turn (5)")
    options = parser.parse_args()
    print("| engine | program | wall-clock time: s | CPU time: s | of the dynamic program |")
    print("|---|---|---|---|---|")
    for engine in ("embedded", *(["pulumi"] if shutil.which("pulumi") else [])):
        with tempfile.TemporaryDirectory(prefix="stockade-bench-") as folder:
            for line in _rows(engine, _programs(Path(folder), engine, options.hosts), options.rounds):
                print(line, flush=True)


def _rows(engine: str, programs: dict[str, Run], rounds: int) -> list[str]:
    seen: dict[str, list[Measured]] = {name: [] for name in programs}
    for number in range(rounds + 1):
        for name, run in programs.items():
            done = run()
            if done.status:
                raise SystemExit(f"{engine}, {name}:\n{done.output}")
            if number:  # the first run compiles, and moves the state over
                seen[name].append(done)
    walls = {name: statistics.median(one.wall for one in runs) for name, runs in seen.items()}
    cpus = {name: statistics.median(one.cpu for one in runs) for name, runs in seen.items()}
    of = {name: f"{wall / walls['dynamic']:.0%} and {cpus[name] / cpus['dynamic']:.0%}" for name, wall in walls.items()}
    return [f"| {engine} | {name} | {walls[name]:.2f} | {cpus[name]:.2f} | {of[name]} |" for name in programs]


def _programs(folder: Path, engine: str, hosts: int) -> dict[str, Run]:
    names = [f"web{number:02}" for number in range(1, hosts + 1)]
    deployment = _deployment(names)
    programs: dict[str, Run] = {}
    for shell in ("dynamic", "packaged"):
        environment = {
            "STOCKADE_ENGINE": engine,
            "STOCKADE_POLICIES": "off",
            "CI": "1",  # the logins' keys do not exist
            **COMPILED,
        }
        stack = Stack(folder / shell, name="test", shell=shell, environment=environment)
        stack.crypter = _crypter(deployment)
        config = _config(names, deployment)
        more = {"password": Secret(PASSWORD)} if shell == "packaged" else {}
        stack.configure(**config, **more)
        if shell == "packaged":
            hosts = {name: _host(config, "WORD", "PAIR") for name in names}
            text = PROGRAM.format(pair=config["keyPair"]["path"], hosts=pformat(hosts, sort_dicts=False))
            text = text.replace("'WORD'", "word").replace("'PAIR'", "pair.publicKey")
            (stack.folder / "__main__.py").write_text(text)
        (stack.folder / "deployment.json").write_text(json.dumps(deployment))
        stack.run("import", "--file", "deployment.json")
        programs[shell] = partial(measure, stack.argv(*UP), stack.folder, stack.full_environment)
    if engine == "pulumi" and shutil.which("pulumi-language-yaml"):
        programs["packaged, in YAML"] = _in_yaml(folder, names, deployment)
    return programs


def _in_yaml(folder: Path, names: list[str], deployment: dict[str, Any]) -> Run:
    """The same stack, by a program that has the chapters itself."""
    config = _config(names, deployment)
    packaged = Packaged(folder / "yaml", name="stockade", stack="test", backend=folder / "packaged" / ".state")
    pair = {"path": config["keyPair"]["path"], "passphrase": "${password}"}
    host = _host(config, "${password}", "${operator.publicKey}")
    declared: dict[str, Any] = {
        "operator": {"type": "stockade:KeyPair", "properties": pair},
        **{name: {"type": "stockade:HardenedHost", "properties": host} for name in names},
    }
    outputs = {name: f"${{{name}.enforced}}" for name in names}
    packaged.declare(declared, config={"password": {"type": "string", "secret": True}}, outputs=outputs)
    crypter = _crypter(deployment)
    secret = {"secure": crypter.encrypt(PASSWORD)}
    values = {"stockade:hosts": config["hosts"], "stockade:password": secret}
    stored = {"encryptionsalt": crypter.salt, "config": values}
    (packaged.program / "Pulumi.test.yaml").write_text(yaml.safe_dump(stored))
    argv = ["pulumi", "--non-interactive", *UP, "--stack", "test"]
    return partial(measure, argv, packaged.program, packaged.environment | COMPILED)


def _host(config: dict[str, Any], word: str, key: str) -> dict[str, Any]:
    """Return the inputs of a host in a program."""
    chapters = {name: value for name, value in config.items() if name not in ("hosts", "keyPair", "users")}
    return {**chapters, "users": [{**config["users"][0], "password": word}], "keys": [key]}


def _crypter(deployment: dict[str, Any]) -> Crypter:
    return Crypter(deployment["deployment"]["secrets_providers"]["state"]["salt"], PASSPHRASE)


def _deployment(names: list[str]) -> dict[str, Any]:
    """Return the recorded state with its host under each of these names."""
    found: dict[str, Any] = json.loads((STATES / "0.1.0.json").read_text("utf-8"))
    resources = found["deployment"]["resources"]
    common = [one for one in resources if "::recorded" not in one["urn"]]
    own = [one for one in resources if f"::{NAME}" in one["urn"]]
    copies = [_renamed(one, name) for name in names for one in own]
    found["deployment"]["resources"] = [*common, *copies]
    return found


def _renamed(resource: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(resource).replace(NAME, name))
    if "machine" in found.get("outputs", {}):
        found["outputs"]["machine"]["keys"] = [fingerprint(_host_key(name))]
    return found


def _host_key(name: str) -> str:
    """Return a host's key, which is pinned, as in docs/_index.md."""
    kind = b"ssh-ed25519"
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind, sha256(name.encode()).digest()))
    return f"{kind.decode()} {b64encode(blob).decode()}"


def _config(names: list[str], deployment: dict[str, Any]) -> dict[str, Any]:
    """Return the config with which the state was recorded (tests/record_state.py), for these hosts."""
    resources = deployment["deployment"]["resources"]
    user = next(one["inputs"] for one in resources if one["urn"].endswith(f"::{names[0]}-deploy"))
    pair = next(one for one in resources if one["urn"].endswith("::operator"))
    login = {
        "privateKeyFile": "/home/operator/keys/id",
    }  # nobody logs in
    hosts = {
        name: {
            "address": f"192.0.2.{number}",
            "hostKey": _host_key(name),
            "admin": {**login, "user": "deploy"},
            "bootstrap": login,
        }
        for number, name in enumerate(names, 1)
    }
    keys = [key for key in user["keys"] if key != pair["outputs"]["publicKey"]]
    return {
        **CHAPTERS,
        "hosts": hosts,
        "keyPair": {"path": pair["inputs"]["path"], "passphrase": Secret(PASSWORD)},
        "users": [{"name": "deploy", "sudo": "nopasswd", "password": Secret(PASSWORD), "keys": keys}],
    }


if __name__ == "__main__":
    main()

"""`python -m bench.simulated.adopt`: what adopting many hosts costs on the machine that does it, beside a refresh.

One real lab host is adopted, recorded by `up`, and read by `refresh`, through a recorder. Then any number of simulated
hosts replay its answers to each of these. Needs root on Linux (the lab).
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from bench.measure import Measured, measure
from bench.simulated.endpoints import PORT, SimulatedHost, serving, simulated
from bench.simulated.keys import Keys
from bench.simulated.recorder import Real, recording
from local.lab.api import Lab
from tests.lab.adopt.hosts import PREPARED
from tests.lab.stack import PASSPHRASE, Stack

ROOT = Path(__file__).parents[2]
HOST, PREPARATION = "adopted1", "docker"
COMMANDS = ("adopt", "up", "refresh")
_ADOPT = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import adopt.command
adopt.command._twice = lambda _found: []  # the simulated hosts have one host key
from cli.adopt import app
app(["adopt", *sys.argv[1:]])
"""


def argv_of(command: str, stack: Stack, hosts: Sequence[SimulatedHost], keys: Keys) -> list[str]:
    """Return the command line for all hosts."""
    if command == "adopt":
        words = [f"{host.name}=root@{host.ipv4}:{host.port}" for host in hosts]
        key = keys.host.get_fingerprint()
        own = ["-s", stack.name, "-C", str(stack.folder), "-i", str(keys.user_file), "--host-key", key, "--no-preview"]
        return [sys.executable, "-c", _ADOPT, *words, *own]
    return [sys.executable, "-m", "local", command, "--stack", stack.name, "--yes", "--skip-preview", "--parallel=64"]


def run(folder: Path, hosts: Sequence[SimulatedHost], keys: Keys) -> dict[str, Measured]:
    """Adopt, record and refresh these hosts. Raises RuntimeError if a command fails."""
    stack = Stack(folder / f"project-{len(hosts)}", name="bench")
    environment = {**os.environ, "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE, "NO_COLOR": "1"}
    found = {}
    for command in COMMANDS:
        found[command] = measure(argv_of(command, stack, hosts, keys), stack.folder, environment)
        if found[command].status:
            raise RuntimeError(f"{command}: {found[command].output[-3000:]}")
        if command == "adopt":
            _without_pins(stack, keys)
    return found


def _without_pins(stack: Stack, keys: Keys) -> None:
    """Let the hosts of a stack have one host key, as the simulated ones do: pinned, they would be one machine."""
    file = stack.folder / f"stacks/Pulumi.{stack.name}.yaml"
    config = yaml.safe_load(file.read_text())
    for host in config["config"]["stockade:hosts"].values():
        del host["hostKey"]
        host["knownHostsFile"] = str(keys.known_hosts)
    file.write_text(yaml.safe_dump(config))


def record(keys: Keys, folder: Path) -> Path:
    """Let a lab host that people have set up be adopted, recorded and refreshed; return the recording."""
    lab = Lab()
    (host,) = lab.up([HOST])
    try:
        (prepared,) = (one for one in PREPARED if one.name == PREPARATION)
        host.exec(prepared.script, limit=240)
        host.exec("iptables -I INPUT -s 127.0.0.0/8 -j ACCEPT")
        host.exec(f"echo '{keys.user_line}' >>/root/.ssh/authorized_keys")
        places = simulated(1, keys)
        with recording(Real(host.ipv4, host.host_key, (str(keys.user_file),)), keys, places[0].ipv4, PORT) as recorder:
            run(folder / "recorded", places, keys)
            recorder.recording.save(folder / "recording.json")
    finally:
        lab.down([HOST])
    return folder / "recording.json"


def main() -> int:
    """Record, replay, print a line for each command and number of hosts."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulated.adopt", description=__doc__.partition("\n")[0])
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 50], metavar="N")
    parser.add_argument("--delay", type=float, default=0.1, help="seconds that a host takes to answer (0.1)")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="adopt-"))
    try:
        keys = Keys.made(folder / "keys")
        taken = record(keys, folder)
        print("| hosts | command | seconds | CPU | memory |\n|--:|---|--:|--:|--:|")
        for count in options.hosts:
            hosts = simulated(count, keys)
            with serving(hosts, keys) as endpoints:
                endpoints.load(taken)
                endpoints.behave(hosts, delay=options.delay)
                for command, one in run(folder, hosts, keys).items():
                    mib = one.memory / 2**20
                    print(f"| {count} | {command} | {one.wall:.1f} | {one.cpu:.1f} s | {mib:.0f} MiB |", flush=True)
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

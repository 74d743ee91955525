"""What a program of the package may do beside declaring hosts, with each engine: providers of its own, connections that
are unknown before the run, replacements, and interrupted runs."""

import json
import signal
from collections.abc import Callable
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.killed.test_interrupted import reached, stop_at
from tests.lab.killed.test_pending import killed
from tests.lab.snapshot import difference, saved, snapshot
from tests.lab.stack import Secret, Stack
from tests.lab.stacks.test_ownership import ENGINES

SDK = """
import pulumi
from components.config.sealing import sealed
from components.gai.resource import AddressPreference
from components.keys.resource import KeyPair
from components.sysctl.resource import Sysctl

class Provider(pulumi.ProviderResource):
    def __init__(self, name, hosts):
        super().__init__("stockade", name, {"hosts": pulumi.Output.json_dumps(hosts)})

class HardenedHost(pulumi.ComponentResource):
    def __init__(self, name, props, opts=None):
        super().__init__("stockade:index:HardenedHost", name, {"enforced": None, **props}, opts, remote=True)

config = pulumi.Config("stockade")
SYNCOOKIES = "net.ipv4.tcp_syncookies = 0"
"""
"""As in a generated SDK."""
OF_ITS_OWN = (
    SDK
    + """
parts = config.get_object("parts") or []
if "provider" in parts:
    own = Provider("mine", {"one": sealed(config.require_object("machine"))})
    if "kernel" in parts:
        Sysctl("kernel", {"host": "one", "settings": SYNCOOKIES}, pulumi.ResourceOptions(provider=own))
    if "host" in parts:
        firewall = {"preset": "ssh", "persistent": False}
        late = pulumi.CustomTimeouts(create="7m", delete="90s")
        opts = pulumi.ResourceOptions(providers={"stockade": own}, custom_timeouts=late)
        HardenedHost("one", {"firewall": firewall}, opts)
"""
)
UNKNOWN = (
    SDK
    + """
pair = KeyPair("operator", {"path": config.require("path"), "type": "ed25519"})
machine = config.require_object("machine")
login = sealed({**machine["bootstrap"], "host": machine["address"], "hostKey": machine["hostKey"]})
late = {name: pair.fingerprint.apply(lambda _, value=value: value) for name, value in login.items()}
firewall = {"preset": "ssh", "persistent": False}
users = [{"name": "guest", "sudo": "none", "password": config.require_secret("word")}]
wanted = {"firewall": firewall, "users": users, "keys": [pair.public_key]}
HardenedHost("made", {"connection": {"bootstrap": late}, **wanted})
Sysctl("kernel", {"host": "made", "connection": {"bootstrap": late}, "settings": SYNCOOKIES})
"""
)
CHANGING = (
    SDK
    + """
host = config.require("host")
kernel = Sysctl("kernel", {"host": host, "settings": config.require("settings")})
AddressPreference("gai", {"host": host}, pulumi.ResourceOptions(depends_on=[kernel]))
"""
)
VALUE = "/proc/sys/net/ipv4/tcp_syncookies"
FILE = "/etc/sysctl.d/*stockade*"
PASSWORDS = ("an old word", "hunter-two-and-more")


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("inuse1")


@pytest.fixture(scope="module")
def before(host: LabHost) -> dict[str, list[str]]:
    host.exec(f"echo 1 >{VALUE}")
    return snapshot(host)


@pytest.fixture(params=ENGINES)
def made(request: pytest.FixtureRequest, new_stack: Callable[..., Stack]) -> Callable[[str], Stack]:
    """Make a stack with this program over the package, for one of the engines."""

    def make(program: str) -> Stack:
        stack = new_stack(program=program)
        stack.environment = {"STOCKADE_ENGINE": request.param, "STOCKADE_POLICIES": "off"}
        return stack

    return make


@pytest.fixture
def shell() -> str:
    return "packaged"


def machine(host: LabHost) -> dict[str, Any]:
    """How to reach the host, with the key itself and the passwords of a rotation."""
    login = {"user": "root", "privateKey": Secret(host.key_file.read_text()), "password": [*map(Secret, PASSWORDS)]}
    return {"address": host.ipv4, "hostKey": host.host_key, "bootstrap": login}


def value(host: LabHost) -> str:
    return host.exec(f"cat {VALUE}").stdout.strip()


def in_clear(stack: Stack, host: LabHost, *told: str) -> list[str]:
    """Return the secrets of `machine` that output or a file of the state shows."""
    files = [path.read_text("utf-8", "replace") for path in (stack.folder / ".state").rglob("*") if path.is_file()]
    secrets = (*PASSWORDS, "guest-word-7", host.key_file.read_text().splitlines()[2])
    return [secret for secret in secrets if any(secret in text for text in (*told, *files))]


def test_a_provider_of_its_own(host: LabHost, before: dict[str, list[str]], made: Callable[[str], Stack]) -> None:
    stack = made(OF_ITS_OWN)
    stack.configure(machine=machine(host), parts=["provider", "kernel", "host"])
    told = [stack.preview().output, stack.up().output, stack.run("refresh", "--yes", "--expect-no-changes").output]
    assert value(host) == "0"
    assert "-A INPUT -j REJECT" in saved(host)["IPv4"]
    told.append(stack.unchanged().output)
    providers = [item for item in stack.state() if item["type"] == "pulumi:providers:stockade"]
    assert [item["urn"].rpartition("::")[2] for item in providers] == ["mine"]
    reference = f"{providers[0]['urn']}::{providers[0]['id']}"
    assert {item["provider"] for item in stack.managed()} == {reference}
    limits = {item["urn"].rpartition("::")[2]: item.get("customTimeouts") for item in stack.managed()}
    assert limits.pop("kernel") is None
    assert len(limits) == 3
    assert all((one["create"], one["delete"]) == (420, 90) for one in limits.values())
    assert "ciphertext" in json.dumps(providers[0]["inputs"]["hosts"])
    assert in_clear(stack, host, *told) == []

    stack.configure(machine=machine(host), parts=["provider", "kernel"])
    stack.up()
    assert "-A" not in saved(host)["IPv4"]
    stack.configure(machine=machine(host), parts=[])  # a provider goes after what it manages
    stack.up()
    assert stack.managed() == []
    assert difference(before, snapshot(host)) == {}


def test_a_connection_that_is_unknown_before_the_run(
    host: LabHost, before: dict[str, list[str]], made: Callable[[str], Stack]
) -> None:
    stack = made(UNKNOWN)
    path = str(stack.folder / "id")
    stack.configure(machine=machine(host), path=path, word=Secret("guest-word-7"))
    told = [stack.preview().output]
    assert "tcp/22 from anywhere" in told[0]
    assert value(host) == "1"
    told += [stack.up().output, stack.unchanged().output]
    told.append(stack.run("refresh", "--yes", "--expect-no-changes").output)
    assert value(host) == "0"
    assert "id.pub" not in host.exec("cat ~guest/.ssh/authorized_keys").stdout
    assert "ssh-ed25519" in host.exec("cat ~guest/.ssh/authorized_keys").stdout
    for item in stack.managed():
        if "connection" in item["inputs"]:
            assert "ciphertext" in json.dumps(item["inputs"]["connection"]["bootstrap"]["privateKey"])
    assert in_clear(stack, host, *told) == []
    stack.destroy()
    assert difference(before, snapshot(host)) == {}


def test_what_is_replaced_stays_in_force(
    host: LabHost, before: dict[str, list[str]], made: Callable[[str], Stack]
) -> None:
    stack = made(CHANGING)

    def declare(name: str, number: int = 0) -> None:
        stack.configure(hosts={name: entry(host)}, host=name, settings=f"net.ipv4.tcp_syncookies = {number}")

    declare("alpha")
    stack.up()
    declare("beta")
    shown = stack.preview()
    assert "replace" in shown
    told = stack.up()
    assert "replaced" in told
    assert value(host) == "0"
    assert {item["id"] for item in stack.managed()} == {"beta/sysctl", "beta/address preference"}
    stack.unchanged()
    stack.verb("state", "taint", stack.urn("kernel"), "--yes")
    assert "replaced" in stack.up()
    assert value(host) == "0"
    stack.unchanged()
    stack.destroy()
    assert difference(before, snapshot(host)) == {}


def test_an_interrupted_run_ends_in_order_and_a_killed_one_is_finished(
    host: LabHost, before: dict[str, list[str]], made: Callable[[str], Stack]
) -> None:
    stack = made(CHANGING)
    gate = {"mv": ("* /etc/sysctl.d/*",)}

    def declare(number: int) -> None:
        stack.configure(hosts={host.name: entry(host)}, host=host.name, settings=f"net.ipv4.tcp_syncookies = {number}")

    declare(0)
    stop_at(host, gate)
    with stack.running() as run:
        reached(host, 1)
        run.process.send_signal(signal.SIGINT)
        run.awaits("ancel")  # as each engine spells it
        host.exec("rm /usr/local/sbin/mv; printf '\\n' >/run/gate; rm /run/gate /run/reached")
        status, told = run.end()
    assert status != 0
    assert "fault in Stockade" not in told  # the CLI ends the program with a traceback of its own
    assert value(host) == "0"
    assert [item["id"] for item in stack.managed()] == [f"{host.name}/sysctl"]  # what had begun; nothing after it
    stack.up()
    stack.unchanged()

    declare(2)
    killed(stack, gate, host)
    stack.up()
    assert value(host) == "2"
    stack.unchanged()
    killed(stack, {"rm": ("-rf /var/lib/stockade/prior/*",)}, host, command="destroy")
    stack.destroy()
    assert difference(before, snapshot(host)) == {}

"""A YAML program hardens a host through the plugin, with the Pulumi CLI (examples/yaml)."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from local.lab.api import LabHost
from plugin import release, schema
from tests.lab.examples import PASSWORD, REPOSITORY, Checkout, Program, needs, values

pytestmark = needs("yaml")


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("yaml1")


@pytest.fixture
def example(tmp_path: Path, host: LabHost) -> Program:
    own = Checkout.made(tmp_path / "stockade").program("yaml")
    own.configure(secret=("password",), **values(host))
    return own


def _seen(host: LabHost) -> str:
    return host.exec("iptables -S; ip6tables -S; ls /etc/sysctl.d; cat /etc/passwd /etc/sudoers.d/*").stdout


def test_ten_lines_of_yaml_harden_a_host_until_it_is_given_back(host: LabHost, example: Program) -> None:
    before = _seen(host)
    preview = example.pulumi("preview")
    assert "stockade:index:Ruleset web1-ipv4 create" in preview
    assert _seen(host) == before

    example.pulumi("up", "--yes", "--skip-preview")
    rules = host.exec("iptables -S").stdout
    assert "-A INPUT -p tcp -m tcp --dport 443 -m state --state NEW -j ACCEPT" in rules
    assert "deploy" in host.exec("getent group sudo").stdout
    example.pulumi("preview", "--expect-no-changes")
    state = example.state()
    assert PASSWORD not in json.dumps(state)
    assert "ciphertext" in state["LimitedUser:web1-deploy"]["inputs"]["password"]

    host.exec("iptables -D INPUT -p tcp -m tcp --dport 443 -m state --state NEW -j ACCEPT")
    example.pulumi("refresh", "--yes", "--skip-preview")
    shown = example.pulumi("preview", "--diff")
    assert "+ -A INPUT -p tcp -m tcp --dport 443" in " ".join(shown.split())
    example.pulumi("up", "--yes", "--skip-preview")
    assert host.exec("iptables -S").stdout == rules

    example.pulumi("destroy", "--yes", "--skip-preview")
    assert _seen(host) == before


def test_what_is_wrong_in_a_program_is_told_with_its_place(example: Program) -> None:
    program = example.folder / "Pulumi.yaml"
    program.write_text(
        program.read_text().replace("firewall: {}", "firewall: { sshPort: 70000, services: [{ ports: [x] }] }")
    )
    shown = example.pulumi("preview", status=1)
    assert 'HardenedHost("web1"):' in shown
    assert "firewall.sshPort: Input should be less than or equal to 65535" in shown
    assert "Traceback" not in shown


def test_the_policy_pack_judges_what_a_program_in_yaml_opens(example: Program) -> None:
    program = example.folder / "Pulumi.yaml"
    program.write_text(program.read_text().replace("firewall: {}", "firewall: { services: [{ ports: [8443] }] }"))
    shown = example.pulumi("preview", "--policy-pack", str(REPOSITORY / "policies"), status=1)
    assert "[mandatory]  exposure-allowed  (stockade:index:Ruleset: web1-ipv4)" in shown
    assert "8443" in shown


def test_the_firewall_alone_as_a_component(host: LabHost, example: Program) -> None:
    before = _seen(host)
    program = example.folder / "Pulumi.yaml"
    (connection,) = re.findall(r"^      connection:\n(?:       .*\n)+", program.read_text(), re.M)
    outputs = "outputs: {enforced: '${rules.enforced}', ipv6: '${rules.ipv6}'}\n"
    head, _, _ = program.read_text().partition("resources:\n")
    own = f"  rules:\n    type: stockade:Firewall\n    properties:\n      host: web1\n      preset: ssh\n{connection}"
    program.write_text(f"{head}resources:\n{own}{outputs}")
    example.pulumi("up", "--yes")
    assert "--dport 443" not in host.exec("iptables -S").stdout
    assert "-P INPUT DROP" in host.exec("ip6tables -S").stdout or "-j REJECT" in host.exec("ip6tables -S").stdout
    shown = json.loads(example.pulumi("stack", "output", "--json"))
    assert "rules, loaded at boot" in shown["enforced"]["ipv4"]
    assert "-A INPUT" in shown["ipv6"]
    example.pulumi("preview", "--expect-no-changes")
    example.pulumi("destroy", "--yes", "--skip-preview")
    assert _seen(host) == before


def test_a_released_plugin_hardens_a_host_without_a_checkout(host: LabHost, example: Program) -> None:
    """Installed as `pulumi plugin install` does; a test of tests/plugin has the CLI do that."""
    version = schema.version()
    installed = example.checkout.folder / "home" / "plugins" / f"resource-stockade-v{version}"
    archive = example.checkout.folder / "plugin.tar.gz"
    archive.write_bytes(release.archive(schema.written()))
    shutil.unpack_archive(archive, installed)
    (installed / "venv").symlink_to(REPOSITORY / ".venv")
    shutil.rmtree(example.checkout.folder / "plugin")
    program = example.folder / "Pulumi.yaml"
    text = re.sub(r"^(packages|  stockade|      (firewall|users)):.*\n", "", program.read_text(), flags=re.M)
    program.write_text(text)

    before = _seen(host)
    example.pulumi("up", "--yes", "--skip-preview")
    assert "stockade" in host.exec("ls /etc/sysctl.d").stdout
    example.pulumi("destroy", "--yes", "--skip-preview")
    assert _seen(host) == before

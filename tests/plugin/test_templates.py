"""Projects from a template: what `pulumi new` writes, and its preview under the policy pack, with the CLI."""

from pathlib import Path

import pytest
import yaml

from tests.lab.examples import REPOSITORY, TEMPLATES, Checkout, Program, needs

from .served import REPOSITORY as CODE

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPcXUGdbFXHkJMKaJl6QK/0yA0Jv6IoBCT7cCGj0bGmE"
CONFIG = {"address": "192.0.2.1", "hostKey": KEY, "publicKey": KEY, "keyFile": "~/.ssh/id_ed25519"}
PACK = ("--policy-pack", str(CODE / "policies"), "--policy-pack-config", "policy.json")


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_all_that_a_project_wants(name: str) -> None:
    folder = REPOSITORY / "templates" / name
    asked = yaml.safe_load((folder / "Pulumi.yaml").read_text())["template"]["config"]
    assert set(asked) == set(CONFIG)
    assert all(one["description"] for one in asked.values())
    same = (folder.parent / "yaml").rglob("*")
    shared = [file for file in same if file.name in ("policy.json", "preview.yml")]
    assert len(shared) == 2
    for file in shared:
        assert (folder / file.relative_to(folder.parent / "yaml")).read_text() == file.read_text()


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs(name)) for name in TEMPLATES])
def test_a_new_project_is_previewed_within_the_policies(name: str, tmp_path: Path) -> None:
    own: Program = Checkout.made(tmp_path / "stockade").new(name)
    text = "".join(file.read_text() for file in own.folder.iterdir() if file.is_file())
    assert "${PROJECT}" not in text
    assert yaml.safe_load((own.folder / "Pulumi.yaml").read_text())["name"] == "shop"
    assert name != "python" or own.type_errors() == ""
    own.configure(**CONFIG)
    shown = own.pulumi("preview", *PACK)
    for kind in ("Ruleset", "LimitedUser", "Sshd", "Fail2Ban", "AutomaticUpdates", "Listeners", "Packages", "Sysctl"):
        assert f"stockade:index:{kind} web1" in shown
    assert "mandatory" not in shown
    policy = own.folder / "policy.json"
    policy.write_text(policy.read_text().replace('"tcp/80 from anywhere",', ""))
    assert "tcp/80 from anywhere can be reached and must not be" in own.pulumi("preview", *PACK, status=1)

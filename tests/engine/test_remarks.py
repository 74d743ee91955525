"""Remarks of a preview on a stack config, before it contacts any host: invalid key files, secrets in plain text."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab.stack import Secret, Stack

HOST = {
    "address": "198.51.100.99",
    "hostKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEDq8c/agbzzpAV2aMQuvzQIGeHzYOep+3ifQMvj8rzQ",
}
KEY = HOST["hostKey"]
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.fixture(params=["embedded", "cli"])
def preview(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Preview a stack with this config; returns status and output."""
    path = os.environ["PATH"].split(os.pathsep)
    if request.param == "cli" and shutil.which("pulumi") is None:
        pytest.skip("the pulumi CLI is not on PATH")
    if request.param == "embedded":
        path = [folder for folder in path if not (Path(folder) / "pulumi").exists()]
    environment = {"PATH": os.pathsep.join(path), "CI": "", "HOME": str(tmp_path)}
    stack = Stack(tmp_path / "project", environment=environment)

    def run(**settings: Any) -> tuple[int, str]:
        stack.configure(**settings)
        result = stack.preview(check=False)
        return result.status, result.output

    return run


def test_key_files(preview: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    good, private, wide, missing = (tmp_path / name for name in ("id.pub", "id", "wide.pub", "none"))
    good.write_text(f"{KEY} me\n")
    private.write_text(PRIVATE)
    wide.write_text(f"{KEY} me\n", encoding="utf-16")
    user: dict[str, Any] = {
        "name": "deploy",
        "sudo": "nopasswd",
        "keyFiles": [str(good), str(private), str(wide), str(missing)],
    }
    status, output = preview(hosts={"web1": HOST}, users=[user])
    assert status != 0
    assert "Traceback" not in output
    assert f"stockade:users[0].keyFiles[1]: {private}: this is a private key" in output
    assert f"stockade:users[0].keyFiles[2]: {wide} is UTF-16" in output
    assert f"stockade:users[0].keyFiles[3]: {missing} cannot be read: No such file" in output
    # the same for files that logins name
    host = {**HOST, "admin": {"user": "deploy", "privateKeyFile": str(good)}, "knownHostsFile": str(wide)}
    status, output = preview(hosts={"web1": host})
    assert status != 0
    assert f"stockade:hosts.web1.admin.privateKeyFile: {good} is a public key" in output
    assert f"stockade:hosts.web1.knownHostsFile: {wide} is UTF-16" in output


def test_secrets_in_clear_and_a_key_that_is_not_here(preview: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """A remark, not an error: the key may exist on the machine that runs `up`."""
    good, missing = tmp_path / "id.pub", tmp_path / "none"
    good.write_text(f"{KEY} me\n")
    users = [{"name": "deploy", "keyFiles": [str(good)], "password": "correct horse"}]
    admin = {"user": "deploy", "password": Secret("hidden"), "sudoPassword": "battery staple"}
    hosts = {
        "web1": {**HOST, "admin": admin, "privateKeyFile": str(missing), "upgrade": {"trigger": 1}},
        "web2": {"address": "198.51.100.98", "privateKeyFile": str(missing)},
    }
    status, output = preview(hosts=hosts, users=users)
    assert status == 0, output
    for place in ("stockade:users[0].password", "stockade:hosts.web1.admin.sudoPassword"):
        assert f"pulumi config set --stack test --secret --path '{place}'" in output
    assert "admin.password" not in output
    assert "correct horse" not in output
    assert "battery staple" not in output
    assert output.count(f"{missing} cannot be read: No such file") == 1
    assert "stockade:hosts.web1.privateKeyFile: " in output

"""Secrets that stand in clear in a stack config, wherever they are."""

from pathlib import Path

import pytest

from components.remarks import in_clear


def test_what_is_plain_is_told_by_its_path(tmp_path: Path) -> None:
    values = {
        "users": [{"name": "deploy", "password": "x"}, {"name": "ops"}],
        "keyPair": {"passphrase": "x", "path": "y"},
        "defaults": {"proxy": {"private_key": "x"}},
        "hosts": {"web-1": {"admin": {"sudoPassword": "x", "password": None}}},
        "sshd": {"passwordAuthentication": False},
    }
    assert in_clear(values, frozenset(), tmp_path / "none", "stockade:") == [
        "stockade:users[0].password",
        "stockade:keyPair.passphrase",
        "stockade:defaults.proxy.private_key",
        'stockade:hosts["web-1"].admin.sudoPassword',
    ]


@pytest.mark.parametrize("content", ["", "- a", "config: []", ":\n:", None])
def test_a_value_that_has_some_secret_is_told_by_the_file_alone(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text(
        "config:\n  stockade:hosts:\n    web1: {password: {secure: v1:abc}, admin: {sudoPassword: x}}\n"
        "  stockade:users: {secure: v1:abc}\n"
    )
    values = {"hosts": {"web1": {"password": "a", "admin": {"sudoPassword": "x"}}}, "users": [{"password": "x"}]}
    secret = frozenset({"hosts", "users"})
    assert in_clear(values, secret, file, "stockade:") == ["stockade:hosts.web1.admin.sudoPassword"]
    if content is not None:
        file.write_text(content)
        assert in_clear(values, secret, file, "stockade:") == []

"""Plain-text secrets anywhere in a stack config."""

from pathlib import Path

import pytest

from components.config.remarks import in_clear, misplaced


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


def test_what_is_encrypted_stands_where_it_is_kept_secret(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text(
        "config:\n"
        "  stockade:hosts:\n"
        "    web1: {password: &p {secure: v1:a}, admin: {sudoPassword: [*p, *p], proxy: {private_key: *p}},\n"
        "      address: *p}\n"
        "    password: {users: [{password: *p, name: *p}], sshd: {settings: {password: *p}}}\n"
        "  stockade:defaults: {bootstrap: {privateKeyPassword: *p}, knownHostsFile: *p}\n"
        "  stockade:users: [{password: *p, groups: [*p]}]\n"
        "  stockade:keyPair: {passphrase: *p, path: *p}\n"
        "  stockade:inventory: *p\n"
        "  firewall: {services: [{<<: {name: *p}}]}\n"
        "  stockade:password: *p\n"
        "  other:anything: *p\n"
    )
    assert sorted(misplaced(file, "stockade:")) == [
        "stockade:defaults.knownHostsFile",
        "stockade:firewall.services[0].name",
        "stockade:hosts.password.sshd.settings.password",
        "stockade:hosts.password.users[0].name",
        "stockade:hosts.web1.address",
        "stockade:inventory",
        "stockade:keyPair.path",
        "stockade:password",
        "stockade:users[0].groups[0]",
    ]
    file.write_text("config:\n  stockade:hosts: {secure: v1:a}\n  stockade:users: {secure: v1:a}\n")
    assert misplaced(file, "stockade:") == []

"""The stack config as a run reads it from the engine: what is refused, and what is only warned about."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import set_mocks
from pulumi.runtime.config import set_all_config

from components.stack_config import ConfigError, StackConfig, load
from tests.unit.components.config.test_host_order import Declared

HOST = {"address": "192.0.2.1", "bootstrap": {"user": "root"}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder, in which the run is."""
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    set_mocks(Declared(), project="shop", stack="test")
    yield tmp_path
    set_all_config({})


def loaded(*secret: str, **config: Any) -> StackConfig:
    """Load a config."""
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in config.items()}
    others = {"other:hosts": "of another project"}
    set_all_config(
        {**{f"shop:{name}": value for name, value in values.items()}, **others}, [f"shop:{n}" for n in secret]
    )
    return load()


@pytest.mark.usefixtures("project")
def test_values_are_text_or_json_and_those_of_other_projects_are_not_ours() -> None:
    found = loaded(hosts={"web1": HOST}, sshd={"settings": {"Port": 2222}})
    assert list(found.hosts) == ["web1"]
    assert found.sshd is not None
    assert found.sshd.ports == (2222,)


@pytest.mark.usefixtures("project")
def test_an_error_names_the_file_and_the_projects_setting() -> None:
    with pytest.raises(ConfigError, match=r"stacks/Pulumi\.test\.yaml is not valid:\n  shop:sshd"):
        loaded(hosts={"web1": HOST}, sshd={"prot": 1})


def test_a_secret_in_plain_text_is_warned_about(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    loaded(hosts={"web1": {**HOST, "admin": {"user": "ann", "sudoPassword": "open sesame"}}})
    assert "shop:hosts.web1.admin.sudoPassword: in plain text in stacks/Pulumi.test.yaml" in caplog.text
    assert "--secret --path 'shop:hosts.web1.admin.sudoPassword'" in caplog.text
    assert "open sesame" not in caplog.text
    caplog.clear()
    (project / "stacks/Pulumi.test.yaml").write_text("config: {shop:hosts: {web1: {password: {secure: v1:abc}}}}\n")
    loaded("hosts", hosts={"web1": {"address": "192.0.2.1", "bootstrap": {"user": "root", "password": "x"}}})
    assert caplog.text == ""


def test_what_is_encrypted_where_it_would_be_shown_is_refused(project: Path) -> None:
    (project / "stacks/Pulumi.test.yaml").write_text("config: {shop:hosts: {web1: {address: {secure: v1:abc}}}}\n")
    with pytest.raises(ConfigError, match=r"shop:hosts\.web1\.address.*is no secret, and would show what is encrypted"):
        loaded("hosts", hosts={"web1": HOST})
    loaded(hosts={"web1": HOST})  # nothing is secret: there is nothing to show


class TestKeyFiles:
    """A key that a login names."""

    def load(self, path: str, **more: Any) -> None:
        loaded(hosts={"web1": {**HOST, "admin": {"user": "ann", "privateKeyFile": path}}}, **more)

    def test_one_that_is_no_key_is_refused(self, project: Path) -> None:
        (project / "key").write_text("no key")
        with pytest.raises(ConfigError, match=r"shop:hosts\.web1\.admin\.privateKeyFile"):
            self.load("key")

    @pytest.mark.usefixtures("project")
    def test_one_that_is_missing_is_warned_about(self, caplog: pytest.LogCaptureFixture) -> None:
        self.load("missing")
        assert "shop:hosts.web1.admin.privateKeyFile: " in caplog.text
        assert "missing" in caplog.text

    @pytest.mark.usefixtures("project")
    def test_not_in_ci_which_has_no_keys(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CI", "true")
        self.load("missing")
        assert caplog.text == ""

    def test_not_if_this_run_makes_it(self, project: Path, caplog: pytest.LogCaptureFixture) -> None:
        key = str(project / "missing")
        self.load(key, keyPair={"path": key})
        assert caplog.text == ""
        self.load(str(project / "other"), keyPair={"path": key})
        assert "privateKeyFile" in caplog.text

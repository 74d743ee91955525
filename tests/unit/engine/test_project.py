"""Pulumi.yaml and Pulumi.<stack>.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.engine.errors import EngineError, UnsupportedError
from local.engine.project import (
    ConfigValue,
    backend_folder,
    load_project,
    load_stack,
    resolve_config,
)
from tests.unit.engine.crypter import CRYPTER


def _project(folder: Path, more: str = "") -> Path:
    (folder / "Pulumi.yaml").write_text(f"name: sample\nruntime: python\n{more}")
    return folder


def test_reads_what_the_engine_knows(tmp_path: Path) -> None:
    _project(
        tmp_path,
        "main: app\nstackConfigDir: stacks\nbackend: {url: 'file://./.state'}\n"
        "plugins:\n  providers:\n    - {name: pulumi-python, path: ./provider}\n",
    )
    (tmp_path / "sub").mkdir()
    project = load_project(tmp_path / "sub")
    assert project.root == tmp_path
    assert project.main == tmp_path / "app"
    assert project.plugins == {"pulumi-python": tmp_path / "provider"}
    assert load_stack(project, "s").file == tmp_path / "stacks/Pulumi.s.yaml"
    assert backend_folder(project, tmp_path, {}) == tmp_path / ".state"
    assert backend_folder(project, tmp_path, {"PULUMI_BACKEND_URL": "file:///elsewhere"}) == Path("/elsewhere")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("runtime: nodejs", "nodejs"),
        ("template: {}", "template"),
        ("plugins: {languages: []}", "languages"),
        ("runtime: {name: python, options: {toolchain: poetry}}", "runtime option"),
    ],
)
def test_refuses_by_name(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(f"name: sample\nruntime: python\n{text}\n".replace(
        "runtime: python\nruntime", "runtime"))  # fmt: skip
    with pytest.raises(UnsupportedError, match=named):
        load_project(tmp_path)


@pytest.mark.parametrize("scheme", ["s3", "gs", "azblob", "postgres", "https"])
def test_other_backends_are_refused_by_name_and_not_with_their_password(tmp_path: Path, scheme: str) -> None:
    project = load_project(_project(tmp_path))
    with pytest.raises(UnsupportedError, match=f"the backend {scheme} is not supported") as caught:
        backend_folder(project, tmp_path, {"PULUMI_BACKEND_URL": f"{scheme}://user:hunter2@host/state"})
    assert "hunter2" not in str(caught.value)


def test_no_backend_is_an_error(tmp_path: Path) -> None:
    project = load_project(_project(tmp_path))
    with pytest.raises(EngineError, match="no backend"):
        backend_folder(project, tmp_path, {})


def test_damaged_files_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: [")
    with pytest.raises(EngineError, match=r"Pulumi\.yaml"):
        load_project(tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("- a\n")
    with pytest.raises(EngineError, match="mapping"):
        load_project(tmp_path)


def test_config_as_the_program_gets_it(tmp_path: Path) -> None:
    project = load_project(
        _project(tmp_path, "config:\n  size: 3\n  sample:word: {default: on}\n  other:key: default\n")
    )
    stack = tmp_path / "Pulumi.s.yaml"
    stack.write_text(
        "config:\n"
        "  sample:flag: true\n  sample:yes: yes\n  sample:day: 2026-01-02\n  sample:ratio: 1.5\n"
        "  other:key: mine\n"
        f"  sample:password: {{secure: '{CRYPTER.encrypt('hunter2')}'}}\n"
        "  sample:object:\n    b: [1, {x: '<&>'}]\n"
        f"    a: [{{secure: '{CRYPTER.encrypt('deep')}'}}]\n"
    )
    config = resolve_config(project, load_stack(project, "s"), CRYPTER)
    assert config == {
        "sample:size": ConfigValue("3", False),
        "sample:word": ConfigValue("on", False),
        "other:key": ConfigValue("mine", False),
        "sample:flag": ConfigValue("true", False),
        "sample:yes": ConfigValue("yes", False),
        "sample:day": ConfigValue("2026-01-02", False),
        "sample:ratio": ConfigValue("1.5", False),
        "sample:password": ConfigValue("hunter2", True),
        "sample:object": ConfigValue('{"a":["deep"],"b":[1,{"x":"\\u003c\\u0026\\u003e"}]}', True),
    }

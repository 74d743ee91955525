"""Pulumi.yaml and Pulumi.<stack>.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.engine.errors import EngineError, UnsupportedError
from local.engine.state.project import (
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


def _bomb(anchors: str = "bcdefghij") -> str:
    lines = (f"{one}: &{one} [{', '.join([f'*{chr(ord(one) - 1)}'] * 9)}]\n" for one in anchors)
    return "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(lines)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 30_000 + "]" * 30_000, "more than 100 nested levels"),
        ("{a: " * 5000 + "1" + "}" * 5000, "more than 100 nested levels"),
        ("a: " + "- " * 5000 + "x", r"s\.yaml:1:"),
        (_bomb(), "more than 2000000 values"),
        ("config: &c {a: *c}", "an alias refers to a value that contains it"),
        ("config: &c\n  <<: *c\n", "an alias refers to a value that contains it"),
        ("config: {a: !!bool x}", "does not match its tag"),
        ("config: {a: !!int x}", "does not match its tag"),
        ("config: {a: !!float ''}", "does not match its tag"),
        ("config: {a: !!timestamp x}", "a tag that is none of"),
        ("config: {a: !!set {x}}", "a tag that is none of"),
        ("config: {a: !!binary aGk=}", "a tag that is none of"),
        ("config: {a: !!python/name:os.system x}", "a tag that is none of"),
        (f"config: {{a: 0x{'f' * 6000}}}", "too large: quote it"),
        (f"config: {{a: {'9' * 6000}}}", "does not match its tag"),
        ("config: {a: {null: 1, true: 2, 3: 4}}", "a name must be text"),
        ("config: {a: {? [x] : 1}}", "a name must be text"),
        ("config: {a: 1, b: 2, a: 3}", r"s\.yaml:1:22: a name appears twice"),
        ("config: [a]", "`config` must be a mapping"),
        ("config: a", "`config` must be a mapping"),
        ("encryptionsalt: [a]", "`encryptionsalt` must be text"),
    ],
)
def test_a_hostile_stack_file_is_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    project = load_project(_project(tmp_path))
    (tmp_path / "Pulumi.s.yaml").write_text(text)
    with pytest.raises(EngineError, match=told) as caught:
        load_stack(project, "s")
    assert len(str(caught.value)) < 300


def test_aliases_and_merges_are_read(tmp_path: Path) -> None:
    project = load_project(_project(tmp_path))
    text = "config:\n  a: &a {x: 1}\n  b: &b {<<: *a, x: 2, y: 3}\n  c: {<<: [*b, *a], z: 4}\n  d: [*a, *a]\n"
    (tmp_path / "Pulumi.s.yaml").write_text(text)
    assert load_stack(project, "s").config == {
        "a": {"x": 1}, "b": {"x": 2, "y": 3}, "c": {"x": 2, "y": 3, "z": 4}, "d": [{"x": 1}, {"x": 1}]
    }  # fmt: skip


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

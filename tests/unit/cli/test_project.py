"""A project of one's own: its files, and the link to Stockade."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.passed import PASSED
from cli.project import FILES, HERE, ProjectError, begin, link, prepare, write
from local.engine.state.project import load_project


def test_a_new_project(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["new", str(tmp_path / "servers")])
    assert (done.exit_code, "wrote Pulumi.yaml, __main__.py, .gitignore" in done.output) == (0, True), done.output
    project = load_project(tmp_path / "servers")
    assert {file.name for file in project.root.iterdir()} == {*FILES, "stacks", ".stockade"}
    assert (project.root / ".stockade").resolve() == HERE.resolve()
    assert str(HERE) not in "".join((project.root / name).read_text() for name in FILES), "it can be shared"
    assert (project.plugins["pulumi-python"] / "pulumi-resource-pulumi-python").is_file()
    assert project.virtualenv == project.root / ".stockade/.venv"


def test_what_exists_stays(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: own\nruntime: python\n")
    assert [file.name for file in write(tmp_path)] == ["__main__.py", ".gitignore"]
    assert (tmp_path / "Pulumi.yaml").read_text() == "name: own\nruntime: python\n"
    assert not (tmp_path / ".stockade").is_symlink(), "its Pulumi.yaml does not name it"
    assert write(tmp_path) == []


def test_no_project_within_another(tmp_path: Path) -> None:
    write(tmp_path)
    done = CliRunner().invoke(app, ["new", str(tmp_path / "stacks" / "inner")])
    assert (done.exit_code, "is inside the project" in done.output) == (1, True), done.output
    assert not (tmp_path / "stacks" / "inner").exists()


def test_every_run_sets_the_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    place = tmp_path / ".stockade"
    for target in ("/nowhere", str(tmp_path)):
        place.unlink()
        place.symlink_to(target)
        prepare(["preview", "--cwd", str(tmp_path / "stacks")])
        assert place.resolve() == HERE.resolve()
    place.unlink()
    place.mkdir()
    with pytest.raises(SystemExit):
        prepare(["preview", "-C", str(tmp_path)])
    assert ".stockade is in the way: `stockade` makes a link of this name" in capsys.readouterr().err
    with pytest.raises(ProjectError):
        link(tmp_path)


@pytest.mark.parametrize("words", [["up", "--stack", "s"], ["fleet", "up", "s"], ["config", "get", "x"]])
def test_engines_and_fleets_begin_with_the_project(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    done: list[str] = []
    monkeypatch.setattr("cli.project.prepare", lambda _words: done.append("prepared"))
    for name in ("local.commands.main", "fleet.__main__.main", "cli.reported.reported"):
        monkeypatch.setattr(name, lambda _words: done.append("ran") or 3)  # type: ignore[func-returns-value]
    assert PASSED[words[0]](words) == 3
    assert done[:2] == ["prepared", "ran"]


def test_a_folder_that_is_no_project_becomes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin(tmp_path)
    assert "was no project yet: wrote Pulumi.yaml" in capsys.readouterr().err
    begin(tmp_path)
    begin(tmp_path / "stacks")
    assert capsys.readouterr().err == ""
    assert [*(tmp_path / "stacks").iterdir()] == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(app, ["new", str(tmp_path / "file")])
    assert (done.exit_code, "Not a directory" in done.output) == (1, True), done.output

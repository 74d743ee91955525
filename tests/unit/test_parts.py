"""The summary at the end of `make test`, from real runs of make and pytest in a small project."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import parts

TESTS = """
import pytest

@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.skip(reason="no such tool on PATH")
def test_left_out(n): pass

def test_fine(): pass

def test_wrong(): assert 1 + 1 == 3, "arithmetic"

@pytest.fixture
def host():
    yield
    raise RuntimeError("could not be taken down")

def test_fine_to_its_end(host): pass
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a Makefile whose parts are a pytest run, a part that passes, and one that fails without tests."""
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "Makefile").write_text(
        f"unit:\n\t{sys.executable} -m pytest -q -p no:cacheprovider\nlint:\n\ttrue\ntypes:\n\texit 3\n"
    )
    monkeypatch.setattr(parts, "REPOSITORY", tmp_path)
    return tmp_path


def test_a_part_that_fails_keeps_no_other_from_running(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert parts.main(["types", "unit", "lint"]) == 1
    shown = capfd.readouterr().out.split("=== summary\n")[1].splitlines()
    assert [line.split()[:2] for line in shown[1:4]] == [["types", "FAILED"], ["unit", "FAILED"], ["lint", "passed"]]
    assert shown[2].split()[-3:] == ["1", "2", "2"]
    assert "  2 in test_it.py: no such tool on PATH" in shown
    assert "  test_it.py::test_wrong: AssertionError: arithmetic" in shown
    assert (
        '  test_it.py::test_fine_to_its_end: failed on teardown with "RuntimeError: could not be taken down"' in shown
    )
    assert "  types: `make types` exited with status 2; its own output says why" in shown
    assert shown[-1].startswith("1 of 3 parts passed; 1 tests passed, 2 failed, 2 skipped; ")


def test_a_test_is_named_as_pytest_runs_it(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "sub").mkdir()
    (project / "sub" / "test_in.py").write_text("class TestOne:\n    def test_no(self): assert False\n")
    parts.main(["unit"])
    assert "\n  sub/test_in.py::TestOne::test_no: " in capfd.readouterr().out


def test_what_passes_says_so(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert parts.main(["lint"]) == 0
    shown = capfd.readouterr().out.splitlines()
    assert shown[-1].startswith("1 of 1 parts passed; 0 tests passed, 0 failed, 0 skipped; ")
    assert "Failed:" not in shown


def test_a_file_that_cannot_be_collected_is_a_failure(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "test_it.py").write_text("import no_such_module")
    assert parts.main(["unit"]) == 1
    assert "test_it: collection failure" in capfd.readouterr().out


def test_parts_after_an_interrupted_one_are_named(project: Path) -> None:
    program = f"import pathlib, sys; from tests import parts; parts.REPOSITORY = pathlib.Path({str(project)!r}); "
    command = [sys.executable, "-c", program + "sys.exit(parts.main(['slow', 'lint']))"]
    with (project / "Makefile").open("a") as makefile:
        makefile.write("slow:\n\t@echo started; exec sleep 60\n")
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert any(line == "started\n" for line in running.stdout)
        running.terminate()
        shown = running.stdout.read()
    assert running.returncode == 1
    lines = shown.split("=== summary\n")[1].splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["slow", "stopped"], ["lint", "not"]]
    assert "  lint: not run" in lines


def test_every_part_of_make_test_is_a_target() -> None:
    repository = Path(__file__).parents[2]
    own = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKEOVERRIDES", "PARTS")}
    argv = ["make", "--no-print-directory", "-n", "test"]  # not with the parts of a `make test PARTS=...` around it
    done = subprocess.run(argv, cwd=repository, env=own, capture_output=True, text=True, check=True)
    names = done.stdout.split("tests.parts ")[1].split()
    text = (repository / "Makefile").read_text()
    assert len(names) > 10
    assert all(f"\n{name}: " in text for name in names)

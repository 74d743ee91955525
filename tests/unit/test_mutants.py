"""Mutants of every kind are generated, one at a time."""

import ast
import subprocess
from pathlib import Path

import pytest

from tests.mutants.__main__ import equivalent
from tests.mutants.made import in_python, in_sh
from tests.mutants.recorder import SH_FILE, marked
from tests.mutants.rooms import REPOSITORY, ROOMS, Room, named

PYTHON = '''\
"""Words."""
def f(a):
    if a == 1:
        g(a)
    return a + 2
'''
SH = """\
f() {
    if [ "$1" = a ]; then
        rm -f "$2" && exit 73
    fi
}
"""


def _changed(before: str, after: str) -> list[str]:
    return [new for old, new in zip(before.split("\n"), after.split("\n"), strict=True) if old != new]


def test_a_python_file_has_mutants_of_every_kind() -> None:
    found = [line.strip() for mutant in in_python("f.py", PYTHON) for line in _changed(PYTHON, mutant.after)]
    assert sorted(found) == sorted(
        ["if (not (a == 1)):", "if (a != 1):", "pass", "return None", "return a + 3", "if a == 2:"]
    )


@pytest.mark.parametrize("text", ["@lru_cache(maxsize=64)\ndef f(): ...\n", "a = zip(b, c, strict=True)\n"])
def test_what_changes_no_answer_is_no_mutant(text: str) -> None:
    assert [*in_python("f.py", text)] == []


def test_a_script_has_mutants_of_every_kind() -> None:
    found = {line.strip() for mutant in in_sh("f.sh", SH) for line in _changed(SH, mutant.after)}
    negated = {'if ! [ "$1" = a ]; then', 'if [ "$1" != a ]; then'}
    assert found == {*negated, 'rm -f "$2" || exit 73', 'rm -f "$2" && exit 99', ":"}


def test_mutants_of_python_are_python() -> None:
    for mutant in ROOMS["policies"].mutants()[::25]:
        ast.parse(mutant.after)
        assert str(mutant).count("\n-") >= 1


def test_named_mutants_fit_their_files() -> None:
    assert all(mutant.line.strip() != "" or mutant.after != mutant.before for mutant in named())


@pytest.mark.parametrize("entry", equivalent(), ids=lambda entry: f"{entry['file']}: {entry['line']}")
def test_a_mutant_that_is_listed_as_equivalent_exists(entry: dict[str, str]) -> None:
    assert entry["reason"]
    if entry["file"] != "*":
        make = in_python if entry["file"].endswith(".py") else in_sh
        text = (REPOSITORY / entry["file"]).read_text("utf-8")
        assert entry["line"] in {mutant.line for mutant in make(entry["file"], text)}


def test_a_mutant_belongs_to_the_function_of_its_line() -> None:
    assert {mutant.scope for mutant in in_python("f.py", PYTHON)} == {"f"}
    assert [mutant.scope for mutant in in_sh("f.sh", f"{SH}[ -n a ]\n")] == ["f"] * 5 + [""]


def test_every_file_is_in_one_room() -> None:
    files = [str(file) for room in ROOMS.values() for file in room.files()]
    assert len(files) == len({*files})
    everything = Room(("components", "hosts", "rules"), ".py"), Room(("components", "hosts"), ".sh")
    assert {str(file) for room in everything for file in room.files()} <= {*files}


def test_a_script_says_which_of_its_functions_run(tmp_path: Path) -> None:
    text = marked("f.sh", f"# top\n{SH}f a '{tmp_path}/nothing' 2>/dev/null\n")
    done = subprocess.run(["sh"], input=text, capture_output=True, text=True, check=False, env={SH_FILE: "/dev/stdout"})
    assert (done.stdout, done.returncode) == ("f.sh:\nf.sh:f\n", 73)

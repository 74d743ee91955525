"""Mutants of every kind are generated, one at a time."""

import ast

from tests.mutants import ROOMS, in_python, in_sh, mutants

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


def test_a_script_has_mutants_of_every_kind() -> None:
    found = {line.strip() for mutant in in_sh("f.sh", SH) for line in _changed(SH, mutant.after)}
    negated = {'if ! [ "$1" = a ]; then', 'if [ "$1" != a ]; then'}
    assert found == {*negated, 'rm -f "$2" || exit 73', 'rm -f "$2" && exit 99', ":"}


def test_mutants_of_python_are_python() -> None:
    for mutant in mutants(ROOMS["policies"])[::25]:
        ast.parse(mutant.after)
        assert str(mutant).count("\n-") >= 1

"""Answers of real hosts, as files in `recorded/`, and their interpretation. A new case needs a file, but no Python.

    systems/FAMILY.yaml       the identification of a system in /etc, which belongs to this family
    packages/MANAGER.yaml     a package manager's output about a plan, and the packages that it removes and installs
    chapters/CHAPTER.yaml     the output of a chapter's `observe`, and the facts in it

`python -m tests.record` writes a chapter's case from a lab host.
"""

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any

import pytest

import components
from components.core.chapter import Chapter, KnownState
from hosts.scripts import script
from hosts.shell import Answer, Script
from tests.shell_room import Stage
from tests.unit.recorded import cases

MANAGERS = {
    "apt-get": ("apt", 0),
    "dnf": ("dnf", 1),
    "yum": ("yum", 1),
    "pacman": ("pacman", 0),
    "zypper": ("zypper", 0),
}
"""The name of each package manager's functions, and its exit status when it only plans."""

ONE_SHELL = pytest.mark.parametrize("stage", ["dash"], indirect=True)


def params(kind: str) -> list[Any]:
    """Return the cases of one folder as parameters of a test."""
    return [pytest.param(file, name, case, id=f"{file}: {name}") for file, name, case in cases(kind)]


@cache
def chapters() -> dict[str, Chapter[Any, Any]]:
    """Return every chapter by the name of its class: `sshd` for `SshdChapter`."""
    for module in pkgutil.walk_packages(components.__path__, "components."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    kinds = Chapter.__subclasses__()
    return {kind.__name__.removesuffix("Chapter").lower(): kind() for kind in kinds if kind.__module__[:5] != "tests"}


@ONE_SHELL
@pytest.mark.parametrize(("family", "name", "case"), params("systems"))
def test_systems_are_recognised(stage: Stage, family: str, name: str, case: dict[str, str]) -> None:
    known_as = case.pop("is", name)
    for file, text in case.items():
        stage.write(f"/etc/{file}", text)
    body = 'echo "$distro${distro_version:+ }$distro_version|$family"'
    done = stage.one(Script("look", script("hosts/system/distro.sh") + body))
    assert done.stdout.strip() == f"{known_as}|{'' if family == 'unsupported' else family}", done.stderr


@ONE_SHELL
@pytest.mark.parametrize(("file", "name", "case"), params("packages"))
def test_plans_of_package_managers_are_read(stage: Stage, file: str, name: str, case: dict[str, Any]) -> None:
    manager, planned = MANAGERS[case["manager"]]
    branches = []
    for number, (arguments, text) in enumerate(case["prints"].items()):
        stage.write(f"/printed/{number}", text)
        pattern = arguments.replace(" ", "' '")
        branches.append(f"{pattern}) cat /printed/{number}; exit {planned} ;;\n")
    stage.program(case["manager"], f'case "$*" in\n{"".join(branches)}*) exit 1 ;;\nesac')
    for program in ("rpm", "dpkg-query", "sleep"):
        stage.program(program, "exit 1")
    wanted = {word: case["plan"].get(word, "") for word in ("install", "remove", "keep")}
    body = 'pkg_plan "$install" "$remove" "$keep"; echo $pkg_lost; echo $pkg_new; echo $pkg_request'
    values = {**wanted, "pkg_manager": manager, "lock_wait": "0"}
    done = stage.one(Script("plan", script(f"hosts/packages/{manager}.sh") + body, values))
    assert done.status == 0, done.stderr
    goes, comes, request = (line.split() for line in done.stdout.splitlines())
    assert (sorted(goes), sorted(comes)) == (case["goes"].split(), case["comes"].split()), done.stderr
    assert "request" not in case or request == case["request"].split()


@pytest.mark.parametrize(("chapter", "name", "case"), params("chapters"))
def test_answers_are_read_as_facts(chapter: str, name: str, case: dict[str, Any]) -> None:
    """`facts` may be incomplete; `met`: the host is as declared; `drift`: the inputs that a refresh changes."""
    kept = chapters()[chapter]
    inputs = kept.inputs.model_validate({"host": "web1", **case.get("declared", {})})
    facts = kept.parse(inputs, Answer(case.get("stdout", ""), "", 0, case.get("sections", {})))
    told = facts.model_dump(mode="json")
    assert {key: told[key] for key in case["facts"]} == case["facts"]
    assert (kept.differences(inputs, facts) == "") is case["met"]
    shown = kept.as_observed(inputs, KnownState(inputs, facts, facts, facts), facts).props()
    declared = inputs.props()
    assert {key: value for key, value in shown.items() if declared.get(key) != value} == case.get("drift", {})

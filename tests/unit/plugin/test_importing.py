"""What counts as an import that is carried out: what the CLI's state says."""

import json
import subprocess
import sys
from typing import Any

import pytest

from components.core.claims import CLAIMS
from plugin.importing import Importing
from provider import exported

URN = "urn:pulumi:dev::shop::stockade:index:Sshd::web{}"


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the CLI prints of the stack, and how often it was asked."""
    found: dict[str, Any] = {"deployment": {}, "asked": []}

    def printed(stack: str) -> str:
        found["asked"].append(stack)
        if isinstance(found["deployment"], Exception):
            raise found["deployment"]
        return json.dumps({"deployment": found["deployment"]})

    monkeypatch.setattr(exported, "engine", lambda: "/usr/bin/pulumi")
    monkeypatch.setattr(exported, "exported", printed)
    return found


def begun(number: int, kind: str = "importing") -> dict[str, Any]:
    """An operation that the CLI noted as begun."""
    return {"type": kind, "resource": {"urn": URN.format(number)}}


def test_what_the_cli_has_begun_to_import_is_imported(state: dict[str, Any]) -> None:
    state["deployment"] = {"pending_operations": [begun(1), begun(2), begun(3, "creating")]}
    importing = Importing()
    assert importing.has(URN.format(1))
    assert importing.has(URN.format(2))
    assert state["asked"] == ["dev"]  # it said so of both
    assert not importing.has(URN.format(3))
    assert not importing.has(URN.format(4))
    assert state["asked"] == ["dev"] * 3  # it may have begun since


@pytest.mark.parametrize("deployment", [{}, None, exported.UnreadableError("locked"), {"pending_operations": [{}]}])
def test_nothing_is_imported_if_the_state_does_not_say_so(state: dict[str, Any], deployment: Any) -> None:
    state["deployment"] = deployment
    assert not Importing().has(URN.format(1))


def test_another_engine_is_taken_at_its_word(state: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "engine", lambda: "")
    assert Importing().has(URN.format(1))
    assert state["asked"] == []


def test_what_the_stack_has_already_is_known(state: dict[str, Any]) -> None:
    def item(number: int, **more: Any) -> dict[str, Any]:
        return {"urn": URN.format(number), "outputs": {"claim": f"claim {number}"}, **more}

    bare = {"urn": URN.format(8)}
    state["deployment"] = {
        "resources": [item(1), item(2), item(3, delete=True), bare],
        "pending_operations": [begun(1)],
    }
    assert Importing().has(URN.format(1))
    assert CLAIMS.urn("claim 2") == URN.format(2)
    assert CLAIMS.urn("claim 1") == CLAIMS.urn("claim 3") == ""  # itself, and what is being replaced
    CLAIMS.dead("claim 2")


ASK = """
import subprocess, sys
ask = "from plugin.importing import Importing; print(Importing.commanded())"
print(subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout, end="")
"""


@pytest.mark.parametrize(("words", "told"), [(["import", "--yes"], "True\n"), (["up", "imports"], "False\n")])
def test_the_engines_command_line_says_whether_it_is_an_import(words: list[str], told: str) -> None:
    done = subprocess.run([sys.executable, "-c", ASK, *words], capture_output=True, text=True, check=True)
    assert done.stdout == told

"""The modules that the provider process loads while the engine starts the program."""

import asyncio
import os
import subprocess
import threading
from pathlib import Path

import pytest
from pulumi.runtime import proto, rpc

import provider.chapters
from provider.chapters import CHAPTERS, Chapters
from provider.structs import struct_of

REPOSITORY = Path(__file__).parents[3]
COMPONENTS = REPOSITORY / "components"


def test_every_chapter_with_a_provider_is_loaded_beforehand() -> None:
    those = {
        ".".join(file.relative_to(COMPONENTS).with_suffix("").parts)
        for file in COMPONENTS.rglob("*.py")
        if "(HostProvider[" in file.read_text()
    }
    assert those == set(CHAPTERS)


def test_plain_properties_are_serialised_as_the_sdk_does() -> None:
    plain = {
        "text": "a",
        "number": 1,
        "none": None,
        "nested": {"list": [1, True, {"deep": "b"}]},
        "unknown": rpc.UNKNOWN,
    }
    assert struct_of(plain) == asyncio.run(rpc.serialize_properties(dict(plain), {}))


async def _waits() -> None:
    with pytest.raises(TypeError, match="not plain"):
        struct_of({"later": asyncio.get_running_loop().create_future()})


def test_what_has_to_be_waited_for_is_refused() -> None:
    asyncio.run(_waits())


@pytest.mark.parametrize("main", [".", "infra"])
@pytest.mark.parametrize("venv", ["../venv", None])
def test_the_process_finds_its_modules_and_the_programs_from_any_project(
    tmp_path: Path, main: str, venv: str | None
) -> None:
    """It needs neither PYTHONPATH nor an absolute path of a virtual environment."""
    program = tmp_path / "project" / main
    python = tmp_path / ("venv" if venv else "project/.venv") / "bin" / "python"
    for folder in (program, python.parent):
        folder.mkdir(parents=True)
    (tmp_path / "project" / "Pulumi.yaml").touch()
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$0" "$(pwd)" "$PYTHONPATH" "$*"\n')
    python.chmod(0o755)
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PULUMI_RUNTIME_VIRTUALENV")
    }
    told = subprocess.run(
        [REPOSITORY / "provider" / "pulumi-resource-pulumi-python", "127.0.0.1:1"],
        cwd=program,
        env={**environment, **({"PULUMI_RUNTIME_VIRTUALENV": venv} if venv else {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    ).stdout.splitlines()
    assert told == [
        f"{venv or '.venv'}/bin/python",
        str(tmp_path / "project"),
        f"{REPOSITORY}:{program.resolve()}",
        "-P -u -m provider 127.0.0.1:1",
    ]


@pytest.mark.parametrize(
    ("operations", "loaded"), [(["Check", "Diff"], False), (["Diff", "Update"], True), (["Create"], True)]
)
def test_the_ssh_client_is_loaded_only_where_something_is_done(
    operations: list[str], loaded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = threading.Event()
    monkeypatch.setattr(provider.chapters, "load_client", client.set)
    chapters = Chapters()
    chapters.load()
    for operation in operations:
        chapters.wait(operation, proto.UpdateRequest(), {})
    assert client.wait(10 if loaded else 0.2) is loaded


def test_the_ssh_client_is_loaded_ahead_of_what_will_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    client = threading.Event()
    monkeypatch.setattr(provider.chapters, "load_client", client.set)
    chapters = Chapters()
    chapters.load()
    chapters.expect_login()
    assert client.wait(10)

"""Locks and temporary files of a run: no other user of the machine can hold, take or read them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.core import judged
from hosts.text.private import locked, private_folder
from local.engine.errors import EngineError
from local.engine.processes.forks import ADDRESS, fork_server
from local.engine.state.backend import Backend
from local.engine.state.stack_file import rewrite

OTHER = 65534
HOLD = """
import fcntl, os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in sys.argv[1:]:
    try:
        descriptor = os.open(path, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        print("held", path, flush=True)
    except OSError as error:
        print(error.strerror, path, flush=True)
print("tried", flush=True)
sys.stdin.read()
"""
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A directory that everybody can read, like checkouts on a shared machine."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@root
def test_nobody_else_holds_the_locks_of_a_stack(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of its state, and that of its config file."""
    runtime = open_folder / "runtime"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    backend, config = Backend(open_folder / ".state", "p", "s"), open_folder / "stacks" / "Pulumi.s.yaml"
    rewrite(config, lambda _: "config: {}\n")
    with backend.locked():
        pass
    places = [entry for top in (open_folder, runtime) for entry in (top, *top.rglob("*"))]
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, *map(str, places)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        told = [line.strip() for line in iter(other.stdout.readline, "tried\n")]
        assert any(line.startswith("held") for line in told)  # that was no lock
        with backend.locked():
            assert rewrite(config, lambda text: f"{text}# more\n").endswith("# more\n")
        assert other.stdin
        other.stdin.close()


@root
@pytest.mark.parametrize("taken", ["folder", "link", "file"])
def test_a_name_that_somebody_took_is_not_used(tmp_path: Path, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can take a name in /tmp, which is used without a runtime directory and a home."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    for name in ("XDG_RUNTIME_DIR", "HOME"):
        monkeypatch.setenv(name, "/dev/null/none")
    own, mine = tmp_path / f"stockade-{os.geteuid()}", tmp_path / "mine"
    mine.mkdir()
    if taken == "folder":
        own.mkdir()
        os.chown(own, OTHER, OTHER)
    elif taken == "link":
        own.symlink_to(mine)
    else:
        own.touch()
    with pytest.raises(PermissionError, match="is not a folder of this user's"):
        private_folder("locks")
    with pytest.raises(EngineError, match="is not a folder of this user's"):
        rewrite(tmp_path / "stacks" / "Pulumi.s.yaml", lambda _: "x: 1\n")
    judged.mark("127.0.0.1:1")
    assert not judged.judged(["python", "--engine", "127.0.0.1:1"])
    assert not [*mine.iterdir()]


def test_what_is_private_is_closed_also_where_it_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "stockade").mkdir(mode=0o777)
    with locked(tmp_path / "x"):
        for place in (tmp_path / "stockade", tmp_path / "stockade" / "locks"):
            assert stat.S_IMODE(place.stat().st_mode) == 0o700
        (file,) = (tmp_path / "stockade" / "locks").iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_runtime_folder_that_others_write_to_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared, home = tmp_path / "shared", tmp_path / "home"
    shared.mkdir()
    home.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(shared))
    monkeypatch.setenv("HOME", str(home))
    assert private_folder("locks").is_relative_to(home)


def test_the_fork_servers_socket_is_this_users(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with fork_server(tmp_path, []) as environment:
            assert stat.S_IMODE(Path(environment[ADDRESS]).parent.stat().st_mode) == 0o700
    finally:
        os.umask(before)

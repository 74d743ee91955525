"""The shell functions for files, in a directory of this machine."""

import grp
import os
import pwd
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.system.files import (
    NOT_A_FILE,
    NOT_WRITTEN,
    TOO_LARGE,
    FileState,
    Limit,
    file_state,
)
from hosts.text.rawtext import to_text
from tests.unit.hosts.test_shell import one

FILES = script("hosts/system/files.sh")
USER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name


def write(path: Path, content: str, mode: str = "0640", group: str = GROUP) -> Answer:
    values = {"path": str(path), "mode": mode, "owner": USER, "grp": group, "content": content}
    call = 'write_file "$path" "$mode" "$owner" "$grp" "$content"; echo "$written"'
    return one(Script("write", FILES + call, values))


def show(path: Path) -> FileState:
    answer = one(Script("show", FILES + 'show_file it "$path"', {"path": str(path)}))
    assert answer.status == 0, answer.stderr
    return file_state(answer.sections, "it")


def restore(state: FileState) -> Answer:
    return one(Script("restore", FILES + 'restore_file it "$path"', {"path": state.path, **state.values("it")}))


def test_write_then_show(tmp_path: Path) -> None:
    path = tmp_path / "sub dir" / "rules.v4"
    assert write(path, "it's\\n 100%\n").stdout == "yes\n"
    assert show(path) == FileState(str(path), True, "it's\\n 100%\n", "640", USER, GROUP)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
    assert [entry.name for entry in path.parent.iterdir()] == ["rules.v4"]


def test_writing_the_same_again_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, "same\n")
    inode = path.stat().st_ino
    assert write(path, "same\n").stdout == "no\n"
    assert path.stat().st_ino == inode
    assert write(path, "same").stdout == "yes\n"  # the last line feed counts
    assert write(path, "same", mode="600").stdout == "yes\n"
    assert path.read_text() == "same"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


OTHERS = ("link", "dangling", "to a folder", "folder", "full", "fifo")
"""What may be in a file's place."""
CHANGES: dict[str, Callable[[Path], Answer]] = {
    "write": lambda path: write(path, "ours"),
    "restore": lambda path: restore(FileState(str(path), True, "ours", "600", USER, GROUP)),
    "remove": lambda path: restore(FileState(str(path), False)),
}


def in_its_place(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "file"
    (tmp_path / "target").write_text("theirs")
    (tmp_path / "folder").mkdir()
    if kind in ("folder", "full"):
        path.mkdir()
        if kind == "full":
            (path / "theirs").touch()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / {"link": "target", "dangling": "nowhere", "to a folder": "folder"}[kind])
    return path


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_not_a_regular_file_is_seen_and_not_read(tmp_path: Path, kind: str) -> None:
    path = in_its_place(tmp_path, kind)
    answer = one(Script("show", FILES + 'show_file it "$path"', {"path": str(path)}))
    assert answer.status == 0
    state = file_state(answer.sections, "it")
    assert (state.other, state.exists, state.content) == (True, True, "")
    answer = one(Script("show", FILES + 'recording=yes; show_file it "$path"', {"path": str(path)}))
    assert (answer.status, answer.stderr) == (NOT_A_FILE, f"{path} is not a regular file; it is left as it is\n")


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("action", CHANGES)
def test_what_is_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path, kind: str, action: str) -> None:
    path = in_its_place(tmp_path, kind)
    answer = CHANGES[action](path)
    assert (tmp_path / "target").read_text() == "theirs"
    assert not (tmp_path / "nowhere").exists()
    assert not list((tmp_path / "folder").iterdir())
    if kind == "full":
        assert (answer.status, answer.stderr) == (NOT_A_FILE, f"{path} is not a regular file; it is left as it is\n")
        assert (path / "theirs").exists()
        return
    assert answer.status == 0
    assert not path.is_symlink()
    assert not path.exists() if action == "remove" else path.read_text() == "ours"


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    answer = write(path, "new", group="no-such-group")
    assert answer.status == NOT_WRITTEN
    assert "no-such-group" in answer.stderr
    assert "No space" not in answer.stderr
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["file"]


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    values = {"path": str(tmp_path / "file"), "owner": USER, "grp": GROUP}
    call = 'ulimit -f 0; trap "" XFSZ; write_file "$path" 600 "$owner" "$grp" "some content"'
    answer = one(Script("write", FILES + call, values))
    assert answer.status == NOT_WRITTEN
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    "content", [b"", b"text\n", b"no end", b"\n\n", b"\\n\\0101 %s\n", bytes(range(256)), b"\0", "é\n".encode()]
)
def test_restore_gives_back_every_byte(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    path.chmod(0o4751)
    before = show(path)
    path.write_text("changed")
    path.chmod(0o600)
    assert restore(before.packed().unpacked()).status == 0
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o4751
    assert show(path) == before


def test_restore_removes_what_was_not_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    absent = show(path)
    assert absent == FileState(str(path), False)
    path.write_text("ours")
    assert restore(absent).status == 0
    assert not path.exists()
    assert restore(absent).status == 0


def test_the_state_of_a_file_keeps_its_content_out_of_repr() -> None:
    assert "hunter2" not in repr(FileState("/etc/x", True, "hunter2"))


@given(st.binary(max_size=60))
def test_packed_is_utf8_and_comes_back(raw: bytes) -> None:
    state = FileState("/x", True, to_text(raw))
    packed = state.packed()
    assert packed.content.encode("utf-8").find(b"\0") == -1
    assert packed.unpacked() == state


def test_a_text_that_looks_packed_comes_back_too() -> None:
    state = FileState("/x", True, "base64:AAAA")
    assert state.packed().unpacked() == state


@pytest.mark.parametrize("kind", ["sparse", "fifo", "device", "socket"])
def test_what_no_file_of_its_kind_is_ends_in_one_sentence(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    if kind == "sparse":
        path.touch()
        os.truncate(path, 300 * 2**20)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    else:
        path = Path("/dev/zero")
    answer = one(Script("show", FILES + 'recording=yes; show_file it "$path"', {"path": str(path)}))
    assert answer.status == (TOO_LARGE if kind == "sparse" else NOT_A_FILE)
    told = f"{path} has 314572800 bytes; at most 1048576 are read"
    assert answer.stderr == (told if kind == "sparse" else f"{path} is not a regular file; it is left as it is") + "\n"
    assert not answer.sections
    assert not answer.stdout


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * Limit.CONFIG)
    assert len(show(path).content) == Limit.CONFIG


def test_where_a_file_goes_back_to_is_up_to_the_script_alone(tmp_path: Path) -> None:
    forged = FileState(str(tmp_path / "elsewhere"), True, "theirs", "600", USER, GROUP)
    values = {**forged.values("it"), "path": str(tmp_path / "own")}
    assert one(Script("restore", FILES + 'restore_file it "$path"', values)).status == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["own"]

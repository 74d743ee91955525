"""`stockade adopt` and hosts that are down, refuse, are silent, or lie: each is a line, and the others are written."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import asyncssh
import pytest
import yaml

import adopt.login
from adopt.command import main
from adopt.survey import _SURVEY
from tests.ssh.conftest import private, public
from tests.ssh.ghost import LIES, Ghost, section
from tests.ssh.server import Behaviour, Server, serving
from tests.ssh.test_sudo import _SUDO

TRUE = b"".join(
    section(name, text)
    for name, text in {
        "name": b"web1\n",
        "distro": b"debian\n12\ndebian\n",
        "accounts": b"alice:1000:/bin/bash:/home/alice\n",
        "notes": b"alice sudo (root) /bin/ls\n",
        "forwards": b"0\n0\n",
        "chains": b"",
        "shipped": b"permitrootlogin no\n",
        "effective": b"permitrootlogin yes\npasswordauthentication yes\nkbdinteractiveauthentication no\n",
        "matches": b"",
    }.items()
)


_NO_SUDO = "#!/bin/sh\necho 'sh: 1: sudo: not found' >&2\nexit 127\n"


class Command:
    """The command, as a script runs it: nobody is there to answer."""

    def __init__(self, folder: Path, key: Path) -> None:
        self.folder, self.key = folder, key

    def __call__(self, *servers: Server, also: tuple[str, ...] = (), user: str = "root") -> int:
        words = [f"{name}={user}@127.0.0.1:{one.port}" for name, one in zip(("a", "b", "c"), servers, strict=False)]
        keys = [one.host_keys[0].get_fingerprint() for one in servers]
        return main(
            [*words, *also],
            "mine",
            lambda: self.folder,
            identities=[str(self.key)],
            host_keys=keys,
            shows_preview=False,
        )

    @property
    def written(self) -> str:
        """The stack config; "" if there is none."""
        file = self.folder / "stacks/Pulumi.mine.yaml"
        return file.read_text() if file.exists() else ""


@pytest.fixture
def command(tmp_path: Path, user_key: asyncssh.SSHKey, monkeypatch: pytest.MonkeyPatch) -> Command:
    (tmp_path / "project/stacks").mkdir(parents=True)
    key = tmp_path / "id"
    key.write_text(private(user_key))
    key.chmod(0o600)
    monkeypatch.setattr(adopt.login, "_PATIENCE", 4.0)
    monkeypatch.setattr(adopt.login, "_ROOTED", 12.0)
    return Command(tmp_path / "project", key)


def honest(user_key: asyncssh.SSHKey, user: str = "root", boot: bytes = b"1") -> Behaviour:
    true = TRUE + section("boot", boot)
    return Behaviour(keys={user: public(user_key)}, ghost=Ghost([_SURVEY], {_SURVEY.body: true}))


@contextmanager
def silent() -> Iterator[int]:
    """A port at which something accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_host_that_is_down_or_silent_keeps_no_other_from_being_written(
    command: Command, host_key: asyncssh.SSHKey, user_key: asyncssh.SSHKey, capsys: pytest.CaptureFixture[str]
) -> None:
    with silent() as port, serving(honest(user_key), [host_key]) as good:
        status = command(good, also=("down=root@127.0.0.1:9", f"mute=root@127.0.0.1:{port}"))
    said = capsys.readouterr().err
    assert status == 1
    assert "      address: 127.0.0.1" in command.written
    for name in ("down", "mute"):
        assert f"# Not read: {name}=root@127.0.0.1" in command.written
        assert f"{name}=root@127.0.0.1" in said
    assert "Connection refused" in said
    assert "not answered" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("boots", "why"), [((b"1", b"1"), "the same machine as"), ((b"1", b"2"), "it is a copy of it")]
)
def test_a_machine_with_two_addresses_and_a_copy_of_a_machine_are_left_out(
    command: Command,
    host_key: asyncssh.SSHKey,
    user_key: asyncssh.SSHKey,
    boots: tuple[bytes, bytes],
    why: str,
) -> None:
    one, other = (honest(user_key, boot=boot) for boot in boots)
    with serving(one, [host_key]) as first, serving(other, [host_key]) as second:
        command(first, second)
    config = yaml.safe_load(command.written)["config"]
    assert [*config["stockade:hosts"]] == ["a"]
    assert why in command.written


@pytest.mark.parametrize("forced", ["sleep 100", "echo nonsense", "exit 3"])
def test_a_host_that_runs_something_else_is_not_read(
    command: Command, host_key: asyncssh.SSHKey, user_key: asyncssh.SSHKey, forced: str
) -> None:
    mute = Behaviour(keys={"deploy": public(user_key)}, forced={"deploy": forced})
    with serving(mute, [host_key]) as server:
        assert command(server, user="deploy") == 1
    assert command.written == ""


def test_refused_logins_and_changed_keys_are_reasons(
    command: Command,
    host_key: asyncssh.SSHKey,
    other_key: asyncssh.SSHKey,
    user_key: asyncssh.SSHKey,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serving(honest(other_key), [host_key]) as refusing, serving(honest(user_key), [other_key]) as changed:
        known = Path("~/.ssh/known_hosts").expanduser()
        known.write_text(f"[127.0.0.1]:{changed.port} {public(host_key)}\n")
        assert command(refusing, changed) == 1
    said = capsys.readouterr().err
    assert "login refused" in said
    assert "has changed" in said
    assert command.written == ""


def test_a_key_that_known_hosts_lists_needs_no_connection_without_a_login(
    command: Command, host_key: asyncssh.SSHKey, user_key: asyncssh.SSHKey
) -> None:
    """Fail2ban counts each such connection as a failure in its mode `aggressive`."""
    with serving(honest(user_key), [host_key]) as server:
        Path("~/.ssh/known_hosts").expanduser().write_text(f"[127.0.0.1]:{server.port} {public(host_key)}\n")
        assert command(server) == 0
        assert {*server.logins} == {"root"}
        assert len(server.logins) == len(server.connections)
    assert f"hostKey: {public(host_key)}" in command.written


@pytest.mark.parametrize(
    ("mode", "given", "status", "why"),
    [
        ("denied", "", 1, "may not use sudo"),
        ("password", "", 1, "STOCKADE_SUDO_PASSWORD"),
        ("password", "wrong", 1, "password"),
        ("password", "sudo word", 0, ""),
        ("nopasswd", "", 0, ""),
        ("none", "", 1, "sudo"),
    ],
)
def test_ways_of_becoming_root(
    command: Command,
    host_key: asyncssh.SSHKey,
    user_key: asyncssh.SSHKey,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mode: str,
    given: str,
    status: int,
    why: str,
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"sudo": _SUDO, "id": "#!/bin/sh\necho 1000\n"}.items():
        (programs / name).write_text(_NO_SUDO if (mode, name) == ("none", "sudo") else text)
        (programs / name).chmod(0o755)
    (programs / "mode").write_text(f"{mode}\n")
    (programs / "words").write_text("sudo word\n")
    if given:
        monkeypatch.setenv("STOCKADE_SUDO_PASSWORD", given)
    monkeypatch.setattr(adopt.command, "read", _nothing)
    behaviour = Behaviour(keys={"deploy": public(user_key)}, path_prefix=str(programs))
    with serving(behaviour, [host_key]) as server:
        assert command(server, user="deploy") == status
    said = capsys.readouterr().err
    assert why in said
    assert given == "" or given not in said + command.written
    assert ("sudoPassword" in command.written) == (given == "sudo word")


def _nothing(host: object, progress: object, stack: str) -> object:
    from adopt.reading import Reading
    from adopt.survey import Survey

    return Reading(Survey("web1", "debian 12", "debian", (), "", ()))


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_ends_in_a_line(
    command: Command,
    host_key: asyncssh.SSHKey,
    other_key: asyncssh.SSHKey,
    user_key: asyncssh.SSHKey,
    capsys: pytest.CaptureFixture[str],
    lie: str,
) -> None:
    liar = Behaviour(
        keys={"root": public(user_key)},
        ghost=Ghost([_SURVEY], {_SURVEY.body: TRUE}, lie=LIES[lie], chance=Random(3)),
    )
    with serving(liar, [host_key]) as server, serving(honest(user_key), [other_key]) as good:
        assert command(server, good) in (0, 1)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "  b:\n" in "\n".join(["", command.written]) or "    b:" in command.written
    assert all(line.isprintable() and len(line) < 2000 for line in command.written.splitlines())

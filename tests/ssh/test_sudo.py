"""Becoming root through a make-believe sudo on the server's PATH, which does to stdin what the real one does."""

from pathlib import Path

import pytest

from hosts.connection import Connection, HostAccess
from hosts.errors import SudoRefused
from hosts.host import Host
from hosts.pool import Pool
from hosts.shell import Script
from tests.ssh.server import Server

_SUDO = """\
#!/bin/sh
# mode: nopasswd | password | tty | denied
mode=$(cat "$(dirname "$0")/mode")
stdin=
while :; do
    case $1 in
        -n) shift ;;
        -S) stdin=1; shift ;;
        -k | -H) shift ;;
        -p) shift 2 ;;
        --) shift; break ;;
        *) break ;;
    esac
done
case $mode in
    tty) echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1 ;;
    denied) echo 'deploy is not in the sudoers file.' >&2; exit 1 ;;
    password)
        if [ -z "$stdin" ]; then echo 'sudo: a password is required' >&2; exit 1; fi
        for try in 1 2 3; do
            IFS= read -r word || { echo 'sudo: no password was provided' >&2; exit 1; }
            echo "$word" >>"$(dirname "$0")/guesses"
            [ "$word" != "sudo word" ] || break
            echo 'Sorry, try again.' >&2
            [ $try -lt 3 ] || { echo 'sudo: 3 incorrect password attempts' >&2; exit 1; }
        done ;;
esac
export THROUGH_SUDO=yes
exec "$@"
"""


@pytest.fixture
def folder(tmp_path: Path, server: Server) -> Path:
    """A PATH where `id -u` is 1000 and sudo is ours."""
    made = tmp_path / "bin"
    made.mkdir()
    for name, text in {"sudo": _SUDO, "id": "#!/bin/sh\necho 1000\n"}.items():
        (made / name).write_text(text)
        (made / name).chmod(0o755)
    server.behaviour.path_prefix = str(made)
    return made


def admin(pool: Pool, connection: Connection, **changes: object) -> Host:
    return pool.host(
        HostAccess(name="web1", admin=Connection.model_validate({**dict(connection), **changes}), connect_timeout=1)
    )


WHO = Script("who", 'echo "${THROUGH_SUDO:-no}"')


@pytest.mark.parametrize("given", [True, False])
def test_sudo_that_does_not_ask(pool: Pool, connection: Connection, folder: Path, given: bool) -> None:
    """A password line that nobody reads must not reach the shell as a command."""
    password = f"touch {folder}/password-ran" if given else None
    (folder / "mode").write_text("nopasswd")
    host = admin(pool, connection, sudo_password=password)
    [answer] = host.run(WHO)
    assert (answer.stdout, answer.stderr) == ("yes\n", "")
    assert host.run(Script("who", WHO.body, as_root=False))[0].stdout == "no\n"
    assert not (folder / "password-ran").exists()


def test_sudo_that_asks(pool: Pool, connection: Connection, folder: Path, server: Server) -> None:
    (folder / "mode").write_text("password")
    host = admin(pool, connection, sudo_password="sudo word")
    assert [host.run(WHO)[0].stdout for _ in range(2)] == ["yes\n"] * 2
    assert set((folder / "guesses").read_text().splitlines()) == {"sudo word"}
    assert "sudo word" not in " ".join(server.commands)


def test_root_with_a_sudo_password_needs_no_sudo(pool: Pool, connection: Connection, folder: Path) -> None:
    (folder / "id").write_text("#!/bin/sh\necho 0\n")
    (folder / "mode").write_text("denied")
    assert admin(pool, connection, sudo_password="sudo word").run(WHO)[0].stdout == "no\n"


def test_a_wrong_sudo_password_never_becomes_three_guesses(pool: Pool, connection: Connection, folder: Path) -> None:
    (folder / "mode").write_text("password")
    host = admin(pool, connection, sudo_password="wrong word")
    with pytest.raises(SudoRefused) as caught:
        host.run(WHO, resource="users")
    assert str(caught.value).startswith("web1: users: who: sudo did not take the sudoPassword of root")
    assert "wrong word" not in str(caught.value)
    with pytest.raises(SudoRefused, match="web1: firewall: who: "):
        host.read(WHO, "firewall")
    assert (folder / "guesses").read_text() == "wrong word\n"


@pytest.mark.parametrize(
    ("mode", "words"),
    [("password", "asks root for a password"), ("tty", "requiretty"), ("denied", "may not use sudo")],
)
@pytest.mark.parametrize("reading", [True, False])
def test_refusals(pool: Pool, connection: Connection, folder: Path, mode: str, words: str, reading: bool) -> None:
    (folder / "mode").write_text(mode)
    host = admin(pool, connection)
    with pytest.raises(SudoRefused, match=words) as caught:
        _ = host.read(WHO, "users") if reading else host.run(WHO, resource="users")
    assert str(caught.value).startswith("web1: users: who: ")


def test_no_sudo_at_all(pool: Pool, connection: Connection, folder: Path, server: Server) -> None:
    (folder / "sudo").write_text("#!/bin/sh\necho 'sh: 1: exec: sudo: not found' >&2\nexit 127\n")
    with pytest.raises(SudoRefused, match="there is no sudo"):
        admin(pool, connection).run(WHO)


def test_confirm_needs_root_too(pool: Pool, connection: Connection, folder: Path) -> None:
    (folder / "mode").write_text("denied")
    with pytest.raises(SudoRefused):
        admin(pool, connection).confirm()
    (folder / "mode").write_text("nopasswd")
    assert admin(pool, connection).confirm() == "root"

"""Becoming root through a fake sudo on the server's PATH, which handles stdin like the real one."""

from pathlib import Path

import pytest

from hosts.errors import SudoRefused
from hosts.host import Host
from hosts.pool import Pool
from hosts.shell import Script
from hosts.ssh import channel, sudo
from hosts.ssh.connection import Connection, HostAccess
from tests.ssh.server import Server

_SUDO = """\
#!/bin/sh
# mode: nopasswd | password | tty | denied | code; words: the passwords that it takes
mode=$(cat "$(dirname "$0")/mode")
stdin=
while :; do
    case $1 in
        -n) shift ;;
        -S) stdin=1; shift ;;
        -k | -H) shift ;;
        -p) prompt=$2; shift 2 ;;
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
            printf %s "$prompt" >&2
            # the end of what is given counts as one more failure in the eyes of PAM
            IFS= read -r word || { echo end >>"$(dirname "$0")/guesses"; echo 'no password was provided' >&2; exit 1; }
            echo "$word" >>"$(dirname "$0")/guesses"
            ! grep -qxF -- "$word" "$(dirname "$0")/words" || break
            echo 'Sorry, try again.' >&2
            [ $try -lt 3 ] || { echo 'sudo: 3 incorrect password attempts' >&2; exit 1; }
        done ;;
    code) printf %s "$prompt" >&2; read -r word; printf 'Verification code: ' >&2; read -r word || exit 1 ;;
esac
export THROUGH_SUDO=yes
exec "$@"
"""


@pytest.fixture
def folder(tmp_path: Path, server: Server) -> Path:
    """A PATH on which `id -u` prints 1000 and sudo is ours."""
    made = tmp_path / "bin"
    made.mkdir()
    for name, text in {"sudo": _SUDO, "id": "#!/bin/sh\necho 1000\n"}.items():
        (made / name).write_text(text)
        (made / name).chmod(0o755)
    (made / "words").write_text("sudo word\n")
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


def test_a_wrong_sudo_password_is_sent_once(pool: Pool, connection: Connection, folder: Path) -> None:
    """Whoever asks, over whatever connection. Sudo gets neither an end of input nor a line of a script instead."""
    (folder / "mode").write_text("password")
    host = admin(pool, connection, sudo_password="wrong word")
    with pytest.raises(SudoRefused) as caught:
        host.run(WHO, resource="users")
    assert str(caught.value).startswith("web1: users: who: sudo did not accept the sudoPassword of root")
    assert "sudoPassword: [new, old]" in str(caught.value)
    assert "wrong word" not in str(caught.value)
    with pytest.raises(SudoRefused, match="web1: firewall: who: "):
        host.read(WHO, "firewall")
    with pytest.raises(SudoRefused):
        host.confirm()
    host.close()
    with pytest.raises(SudoRefused):
        host.run(WHO)
    other = admin(pool, connection, sudo_password="wrong word", per_dial_timeout=14)  # the same from another client
    with pytest.raises(SudoRefused):
        other.run(WHO)
    assert (folder / "guesses").read_text() == "wrong word\n"


def test_a_password_that_changes_under_the_run(pool: Pool, connection: Connection, folder: Path) -> None:
    """Whatever follows it is sent to a root shell or not at all."""
    (folder / "mode").write_text("password")
    host = admin(pool, connection, sudo_password="sudo word")
    host.run(WHO)
    (folder / "words").write_text("another\n")
    for _ in range(2):
        with pytest.raises(SudoRefused, match="did not accept"):
            host.run(WHO)
    assert (folder / "guesses").read_text().splitlines() == [*["sudo word"] * 3, "end"]


def test_a_new_password_and_the_one_before_it(pool: Pool, connection: Connection, folder: Path) -> None:
    (folder / "mode").write_text("password")
    both = Connection.model_validate({**dict(connection), "sudo_password": ["new word", "sudo word"]})
    host = pool.host(HostAccess(name="web1", admin=both, connect_timeout=1))
    assert host.run(WHO)[0].stdout == "yes\n"
    assert host.outdated == "the sudoPassword of root"
    with pytest.raises(SudoRefused):  # the former password proves nothing
        host.confirm()
    (folder / "words").write_text("new word\n")
    host.credentials_changed("root")
    assert host.confirm() == "root"
    host.renew()
    assert host.run(WHO)[0].stdout == "yes\n"
    assert host.outdated == ""
    told = (folder / "guesses").read_text().splitlines()
    assert [word for word, before in zip(told, ["", *told], strict=False) if word != before] == [
        "new word",
        "sudo word",
        "new word",
    ]


def test_sudo_that_asks_for_more(
    pool: Pool, connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sudo, "ANSWER_TIMEOUT", 0.5)
    (folder / "mode").write_text("code")
    with pytest.raises(SudoRefused, match="Verification code:"):
        admin(pool, connection, sudo_password="sudo word").run(WHO)


def test_a_shell_that_does_not_come(
    pool: Pool, connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs after an earlier success: nothing is sent to it, and the wait is limited."""
    (folder / "mode").write_text("password")
    host = admin(pool, connection, sudo_password="sudo word")
    host.run(WHO)
    monkeypatch.setattr(channel, "LET_IN_TIMEOUT", 0.5)
    monkeypatch.setattr(channel, "_LAST_WORDS", 0.5)
    (folder / "sudo").write_text(f"#!/bin/sh\ncat >{folder}/given\nsleep 3\n")
    with pytest.raises(SudoRefused):
        host.run(WHO)
    assert (folder / "given").read_text() == "sudo word\n"


@pytest.mark.parametrize("word", [":", "", "a:b", " "])
def test_a_password_that_looks_like_what_is_sent_next(
    pool: Pool, connection: Connection, folder: Path, word: str
) -> None:
    (folder / "mode").write_text("nopasswd")
    [answer] = admin(pool, connection, sudo_password=word).run(WHO)
    assert (answer.stdout, answer.stderr) == ("yes\n", "")


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

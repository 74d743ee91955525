"""Runs over one shared connection: threads, batches, limits, lost connections, with a server on loopback."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncssh
import pytest

from hosts.errors import CommandFailed, ConnectionLost, HostError, TimedOut
from hosts.host import Host
from hosts.pool import Pool
from hosts.shell import SKIPPED, Script
from hosts.ssh.connection import Connection, HostAccess
from tests.ssh.conftest import private, public
from tests.ssh.server import Server

HELLO = Script("say hello", "echo hello")


@pytest.fixture
def host(pool: Pool, access: HostAccess) -> Host:
    return pool.host(access)


def test_one_run_for_several_scripts(host: Host, server: Server) -> None:
    before, change, after = host.run(
        Script("observe", "section state echo off"),
        Script("apply", "echo done"),
        Script("observe", "section state echo on"),
    )
    assert (before.sections["state"], change.stdout, after.sections["state"]) == ("off\n", "done\n", "on\n")
    assert len(server.commands) == 1


def test_no_value_is_in_the_command_line(host: Host, server: Server) -> None:
    host.run(Script("s", 'echo "$v"; echo body-word', {"v": "value-word"}, {"s": "secret-word"}))
    assert not [word for word in ("value-word", "secret-word", "body-word") if word in " ".join(server.commands)]


def test_a_failure_names_host_resource_step_status_and_stderr(host: Host) -> None:
    scripts = [Script("observe", "section seen echo it"), Script("load the rules", "echo 'line 4 failed' >&2; exit 2")]
    with pytest.raises(CommandFailed) as caught:
        host.run(*scripts, Script("never", ":"), resource="firewall ipv4")
    assert str(caught.value) == "web1: firewall ipv4: load the rules: exit status 2: line 4 failed"
    assert caught.value.exit_status == 2
    assert [answer.status for answer in caught.value.answers] == [0, 2, SKIPPED]
    assert caught.value.answers[0].sections == {"seen": "it\n"}


def test_reserved_statuses_have_their_own_words(host: Host) -> None:
    script = Script("look", "exit 65", exits={65: "ufw is active"})
    with pytest.raises(CommandFailed, match="web1: look: ufw is active"):
        host.run(script)
    [answer] = host.run(Script("look", "exit 65", accepts=frozenset({0, 65})))
    assert answer.status == 65
    unchecked = host.run(script, HELLO, check=False)
    assert [answer.status for answer in unchecked] == [65, SKIPPED]
    assert host.run(script, HELLO, check=False, stop_on_failure=False)[1].stdout == "hello\n"


def test_secrets_of_scripts_and_logins_are_masked(host: Host, connection: Connection) -> None:
    key = connection.private_key.get_secret_value() if connection.private_key else ""
    script = Script("leak", 'echo "$word and $key" >&2; exit 1', secrets={"word": "hunter2 it's", "key": key})
    with pytest.raises(CommandFailed) as caught:
        host.run(script)
    assert "***" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert not [line for line in key.splitlines() if line in repr(caught.value)]


def test_sixty_four_threads_share_one_connection(host: Host, server: Server) -> None:
    def work(number: int) -> str:
        return host.run(Script("count", "section n echo $n", {"n": str(number)}))[0].sections["n"]

    with ThreadPoolExecutor(64) as threads:
        assert list(threads.map(work, range(120))) == [f"{number}\n" for number in range(120)]
    assert server.logins == ["root"]
    assert host.handshakes == 1
    assert 1 < server.most_sessions <= 8


def test_a_smaller_max_sessions_is_learned(host: Host, server: Server) -> None:
    server.behaviour.max_sessions = 2
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: host.run(HELLO)[0].stdout, range(40)))
    assert answers == ["hello\n"] * 40
    assert host.handshakes == 1


def test_a_host_that_opens_no_session_is_told(host: Host, server: Server) -> None:
    server.behaviour.max_sessions = 0
    with pytest.raises(ConnectionLost, match="opens no session"):
        host.run(HELLO)


def test_reads_that_are_wanted_together_go_together(host: Host, server: Server) -> None:
    def work(number: int) -> str:
        body = "echo fail >&2; exit 3" if number == 7 else "section n echo $n"
        try:
            return host.read(Script("read", body, {"n": str(number)}), f"resource {number}").sections["n"]
        except CommandFailed as error:
            return str(error)

    with ThreadPoolExecutor(64) as threads:
        answers = list(threads.map(work, range(64)))
    wanted = [f"{number}\n" for number in range(64)]
    wanted[7] = "web1: resource 7: read: exit status 3: fail"
    assert answers == wanted
    assert len(server.commands) < 10  # the others are batched while the first connects


def test_reads_as_root_and_as_the_user_both_get_answers(host: Host) -> None:
    def work(as_root: bool) -> str:
        return host.read(Script("read", "echo $n", {"n": str(as_root)}, as_root=as_root)).stdout

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, [True, False] * 4)) == ["True\n", "False\n"] * 4


def test_an_overdue_read_does_not_take_its_batch_along(host: Host, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    slow = Script("slow", "echo $$ >$pid; sleep 60", {"pid": str(pid)}, timeout=0.5)

    def work(number: int) -> str:
        try:
            return host.read(slow if number == 3 else HELLO, f"resource {number}").stdout
        except TimedOut as error:
            return str(error)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(work, range(8)))
    assert [answer for answer in answers if answer == "hello\n"] == ["hello\n"] * 7
    assert answers[3].startswith("web1: resource 3: slow: not finished within its time limit")


def test_an_overdue_step_is_ended_on_the_host(host: Host, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    body = "sleep 60 & echo $! >$pid; wait"
    with pytest.raises(TimedOut, match=r"web1: users: wait for ever: not finished .* it was stopped"):
        host.run(Script("wait for ever", body, {"pid": str(pid)}, timeout=0.5), resource="users")
    state = Path(f"/proc/{pid.read_text().strip()}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"
    assert host.run(HELLO)[0].stdout == "hello\n"
    assert host.handshakes == 1


def test_each_script_has_its_own_time(host: Host) -> None:
    short = Script("short", "sleep 0.15", timeout=0.5)
    assert len(host.run(*[short] * 4)) == 4
    with pytest.raises(TimedOut):
        host.run(*[short] * 4, timeout=0.3)


def test_a_daemon_left_behind_does_not_hold_up_the_answer(host: Host, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = Script("start", "sleep 20 & echo $! >$pid; echo started", {"pid": str(pid)}, timeout=10)
    assert host.run(script)[0].stdout == "started\n"
    host.run(Script("stop", "kill $(cat $pid)", {"pid": str(pid)}))


def test_a_connection_lost_in_the_middle_is_told_and_not_repeated(host: Host, server: Server, tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = Script("apply", "echo run >>$count; sleep 5", {"count": str(count)})
    caught: list[HostError] = []

    def work() -> None:
        try:
            host.run(script, resource="users")
        except HostError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not (count.exists() and count.read_text()):
        thread.join(0.02)
    server.drop_connections()
    thread.join(10)
    [error] = caught
    assert isinstance(error, ConnectionLost)
    assert "web1: users: apply: " in str(error)
    assert "not known whether this step was completed" in str(error)
    assert count.read_text() == "run\n"
    assert host.run(HELLO)[0].stdout == "hello\n"
    assert host.handshakes == 2


def test_a_connection_found_dead_is_opened_again(host: Host, server: Server) -> None:
    assert host.run(HELLO)[0].ran
    server.drop_connections()
    assert host.run(HELLO)[0].stdout == "hello\n"
    assert host.handshakes == 2


def test_too_much_output_is_an_error(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hosts.ssh.channel.OUTPUT_LIMIT", 100_000)
    with pytest.raises(TimedOut, match="printed too much"):
        host.run(Script("flood", "yes", timeout=30))


def test_facts_are_asked_once_per_connection(host: Host, server: Server) -> None:
    facts = host.facts()
    assert host.facts() is facts
    assert facts.os_release == Path("/etc/os-release").read_text()
    assert len(server.commands) == 1
    host.close()
    assert host.facts() == facts
    assert len(server.commands) == 2


def test_equal_access_is_one_host_and_changed_credentials_another(
    pool: Pool, access: HostAccess, server: Server, other_key: asyncssh.SSHKey
) -> None:
    again = HostAccess.model_validate_json(_as_json(access))
    assert pool.host(again) is pool.host(access)
    pool.host(access).run(HELLO)
    server.behaviour.keys = {"root": public(other_key)}
    assert access.admin is not None
    rotated = access.admin.model_dump() | {"private_key": private(other_key)}
    changed = pool.host(HostAccess(name="web1", admin=Connection(**rotated)))
    assert changed is not pool.host(access)
    assert changed.run(HELLO)[0].stdout == "hello\n"


def _as_json(access: HostAccess) -> str:
    assert access.admin is not None
    assert access.admin.private_key is not None
    key = access.admin.private_key.get_secret_value()
    return access.model_dump_json(by_alias=True).replace('"**********"', __import__("json").dumps(key))


def test_confirm_opens_a_connection_of_its_own(host: Host, server: Server) -> None:
    host.run(HELLO)
    assert host.confirm() == "root"
    assert server.logins == ["root", "root"]
    assert host.handshakes == 1
    server.behaviour.keys = {}
    with pytest.raises(HostError, match="login refused"):
        host.confirm(timeout=1)
    assert host.run(HELLO)[0].stdout == "hello\n"


def test_confirm_at_another_address_expects_the_same_host_key(
    pool: Pool, access: HostAccess, server: Server, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {server.host_key_line()}\n")
    assert access.admin is not None
    unpinned = access.admin.model_copy(update={"host_key": None, "known_hosts_file": str(known)})
    host = pool.host(HostAccess(name="web1", admin=unpinned))
    assert host.confirm(address="localhost") == "root"


MEETING = """\
#!/bin/sh
if [ "$1" = -c ]; then
    echo >>{folder}/arrived
    tries=0
    until [ "$(wc -l <{folder}/arrived)" -ge 2 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || exit 1
        sleep 0.05
    done
fi
exec /bin/sh "$@"
"""
"""A shell that starts when there is a second login at the same time."""


def test_all_addresses_are_proved_side_by_side(pool: Pool, access: HostAccess, server: Server, tmp_path: Path) -> None:
    (tmp_path / "sh").write_text(MEETING.format(folder=tmp_path))
    (tmp_path / "sh").chmod(0o755)
    server.behaviour.path_prefix = str(tmp_path)
    host = pool.host(access.model_copy(update={"addresses": ("localhost",)}))
    host.confirm_everywhere(10, login="admin")
    assert server.logins == ["root", "root"]


def test_one_address_that_does_not_let_in_is_enough_to_fail(pool: Pool, access: HostAccess, server: Server) -> None:
    host = pool.host(access.model_copy(update={"addresses": ("127.0.0.2",)}))
    with pytest.raises(HostError, match=r"127\.0\.0\.2"):
        host.confirm_everywhere(1, login="admin")
    assert server.logins == ["root"]


def test_a_pool_can_be_used_again_after_close(pool: Pool, access: HostAccess) -> None:
    assert pool.host(access).run(HELLO)[0].ran
    old = pool.host(access)
    pool.close()
    with pytest.raises(RuntimeError, match="closed"):
        old.run(HELLO)
    assert pool.host(access).run(HELLO)[0].stdout == "hello\n"


def test_scripts_of_one_run_run_as_one_user(host: Host) -> None:
    with pytest.raises(ValueError, match="as_root"):
        host.run(HELLO, Script("s", ":", as_root=False))
    assert host.run() == []

"""What a user of a host claims about their own address or about listeners is never trusted."""

import shlex
from collections.abc import Callable, Iterator

import pytest

from components.listeners.chapter import ListenerChapter
from components.listeners.settings import ListenerInputs
from hosts.pool import Pool
from hosts.scripts import script
from hosts.shell import Script
from hosts.ssh.connection import HostAccess
from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Secret, Stack

NAME = "words1"
PASSWORD = "Cobalt4410Willow"
DROPIN = "/etc/fail2ban/jail.d/zz-stockade.local"

# as in the attack: in the admin's ~/.bashrc, written without the sudo password; no space in the first word
INJECTED = r"$'198.51.100.1\nignorecommand=/home/deploy/evil.sh\nx=y 5 198.51.100.32 22'"
VARIANTS = (
    INJECTED,
    "'0.0.0.0/0 5 198.51.100.32 22'",
    "'203.0.113.66 5 198.51.100.32 22'",  # well-formed, but false
    r"$'fe80::1%e\nx=y 5 ::1 22'",
    "'$(touch /tmp/ran) 5 `touch /tmp/ran` 22'",
    "'/etc/* 5 * 22'",
    "''",
)

SPOOFS = """
open_port() { printf 'use Socket; %s socket(S,PF_INET,SOCK_STREAM,0); setsockopt(S,SOL_SOCKET,SO_REUSEADDR,1);
    bind(S,sockaddr_in(%s,INADDR_ANY)) or die; listen(S,5); sleep 600' "$2" "$1"; }
as() { systemd-run -q --uid=mallory --unit="by-$1" "${@:2}"; }
sshd=$(systemctl show -p MainPID --value ssh)
as 9999 perl -e "$(open_port 9999 '$0="sshd";')"
as 9998 perl -e "$(open_port 9998 "\\$0=qq{sshd\\",pid=$sshd};")"
install -o mallory -m 755 /usr/bin/perl ~mallory/sshd
as 9997 ~mallory/sshd -e "$(open_port 9997 '')"
open_port 9996 '' >~mallory/9996.pl
as 9996 unshare -Urm sh -c 'mount --bind /usr/bin/perl /usr/sbin/sshd; exec /usr/sbin/sshd ~mallory/9996.pl'
runuser -u mallory -- ssh-keygen -q -t ed25519 -N '' -f ~mallory/key
as 9995 /usr/sbin/sshd -D -f /dev/null -h ~mallory/key -p 9995 -o PidFile=none
odd=$(printf '%s/a\\nb' ~mallory)
install -o mallory -m 755 /usr/bin/perl "$odd"
as 9994 "$odd" -e "$(open_port 9994 '')"
for port in 9994 9995 9996 9997 9998 9999; do
    for i in $(seq 100); do [ -z "$(ss -Htln "sport = :$port")" ] || continue 2; sleep 0.1; done
    journalctl -q -u "by-$port" >&2
    exit 1
done
"""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    host = bring_up(NAME)
    host.exec("useradd -m -s /bin/bash mallory")
    return host


@pytest.fixture(scope="module")
def stack(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("words") / "project")
    configure(stack, host)
    stack.up()
    stack.unchanged()
    yield stack
    host.exec("systemctl stop 'by-*' || :; pkill -u mallory || :")
    stack.destroy()
    assert host.exec(f"ls {DROPIN} /etc/sudoers.d/zz-stockade-deploy 2>/dev/null || :").stdout == ""


def configure(stack: Stack, host: LabHost, tries: int = 5, **more: object) -> None:
    admin = {"user": "deploy", "privateKeyFile": str(host.key_file), "sudoPassword": Secret(PASSWORD)}
    user = {"name": "deploy", "sudo": "password", "password": Secret(PASSWORD), "removeHome": True}
    stack.configure(
        hosts={NAME: entry(host, admin=admin)},
        users=[{**user, "keyFiles": [f"{host.key_file}.pub"]}],
        sshd={"settings": {"MaxAuthTries": tries}},
        fail2ban={"jails": {"sshd": {"maxretry": tries}}},
        listeners={**more},
    )


def say(host: LabHost, value: str) -> None:
    """Let the admin's login claim that address."""
    line = f"export SSH_CONNECTION={value} SSH_CLIENT={value}"
    host.exec(f"printf '%s\\n' {shlex.quote(line)} >~deploy/.bashrc; chown deploy: ~deploy/.bashrc")


def test_ssh_connection_is_the_users_word(host: LabHost, stack: Stack) -> None:
    (true,) = {line for line in host.exec(f"cat {DROPIN}").stdout.splitlines() if line.startswith("stockade_operator")}
    assert true.startswith("stockade_operator = 198.51.100.")
    host.exec("printf '#!/bin/sh\\ntouch /run/evil-ran\\n' >~deploy/evil.sh; chmod 755 ~deploy/evil.sh")
    say(host, INJECTED)
    configure(stack, host, tries=4)
    stack.up()
    assert host.exec(f"cat {DROPIN}").stdout.splitlines().count(true) == 1
    assert host.exec("grep -rn 'ignorecommand=\\|evil' /etc/fail2ban/jail.* /etc/ssh || :").stdout == ""
    assert host.exec("fail2ban-client get sshd ignorecommand").stdout.strip() == ""
    assert host.exec("sshd -T | grep -i maxauthtries").stdout.lower() == "maxauthtries 4\n"
    stack.unchanged()


def test_whatever_it_is_the_kernel_is_asked(host: LabHost, stack: Stack) -> None:
    login = {"host": host.ipv4, "user": "deploy", "privateKeyFile": str(host.key_file), "hostKey": host.host_key}
    pool = Pool()
    try:
        for over in (host.ipv4, host.ipv6):
            admin = {**login, "host": over, "sudoPassword": PASSWORD}
            way = pool.host(HostAccess.model_validate({"name": NAME, "admin": admin}))
            told = set()
            for value in VARIANTS:
                say(host, value)
                [answer] = way.run(Script("ask where we come from", f"{script('hosts/system/origin.sh')}entry"))
                client, _, server, port = answer.stdout.split(" ")
                told.add((client, server, port))
            assert {(server, port) for _, server, port in told} == {(over, "22\n")}
            assert len(told) == 1
            assert "203.0.113" not in str(told)
    finally:
        pool.close()
    host.exec("rm ~deploy/.bashrc; ! ls /tmp/ran")


def test_a_listener_that_calls_itself_anything_is_seen_and_stops_nothing(host: LabHost, stack: Stack) -> None:
    """Like gunicorn with setproctitle: no refresh, up or destroy may fail because of it."""
    odd = 'use Socket; $0="gunicorn: master [app]"; socket(S,PF_INET,SOCK_STREAM,0);'
    bind = "bind(S,sockaddr_in(9990,INADDR_ANY)); listen(S,5); sleep 600"
    host.exec(["systemd-run", "-q", "--uid=mallory", "--unit=by-odd", "perl", "-e", f"{odd} {bind}"])
    host.exec('for i in $(seq 100); do [ -z "$(ss -Htln "sport = :9990")" ] || exit 0; sleep 0.1; done; exit 1')
    stack.refresh()
    diff = stack.preview(check=False)
    assert "tcp 0.0.0.0:9990 perl (package perl-base, of uid" in diff, diff.output
    assert "Traceback" not in diff
    assert "unexpected listeners: tcp 0.0.0.0:9990 perl" in stack.up()
    host.exec("systemctl stop by-odd")
    stack.refresh()
    stack.unchanged()


def test_whoever_listens_a_thousand_times_keeps_nobody_from_looking(host: LabHost, stack: Stack) -> None:
    """With ten program calls for each listening process, the look once exceeded its time limit."""
    fork = "use Socket; for $p (1..1600) { next if fork; socket(S,PF_INET,SOCK_STREAM,0);"
    bind = "bind(S,sockaddr_in(20000+$p,inet_aton(q{127.0.0.1}))); listen(S,5); sleep 600; exit } sleep 600"
    unit = ["systemd-run", "-q", "--uid=mallory", "--unit=by-many", "-pTasksMax=2000"]
    host.exec([*unit, "perl", "-e", f"{fork} {bind}"])
    host.exec('for i in $(seq 200); do [ "$(ss -Htln | grep -c :2)" -lt 1600 ] || exit 0; sleep 0.1; done; exit 1')
    admin = {"host": host.ipv4, "user": "deploy", "privateKeyFile": str(host.key_file), "hostKey": host.host_key}
    access = HostAccess.model_validate({"name": NAME, "admin": {**admin, "sudoPassword": PASSWORD}})
    chapter, inputs, pool = ListenerChapter(), ListenerInputs(host=NAME), Pool()
    try:
        seen = chapter.parse(inputs, pool.host(access).read(chapter.observe(inputs)))
    finally:
        pool.close()
        host.exec("systemctl stop by-many")
    assert sum("perl (package perl-base, of uid" in line for line in seen.loopback) == 1600


def test_no_name_passes_for_what_is_expected(host: LabHost, stack: Stack) -> None:
    host.exec(["bash", "-ec", SPOOFS])
    configure(stack, host, tries=4, unexpected="fail")
    failed = stack.up(check=False)
    assert failed.status != 0
    told = failed.output.partition("unexpected listeners:")[2].partition("Remove the package")[0]
    for listener in (
        "tcp 0.0.0.0:9999 perl (package perl-base, of uid",
        "tcp 0.0.0.0:9998 perl (package perl-base, of uid",
        "tcp 0.0.0.0:9997 /home/mallory/sshd (of uid",
        "tcp 0.0.0.0:9996 container (/usr/sbin/sshd, of uid",
        "tcp 0.0.0.0:9994 /home/mallory/a?b (of uid",
        "tcp 0.0.0.0:9995 sshd (package openssh-server, of uid",
    ):
        assert listener in told, failed.output
    assert ":22" not in told
    # each can be expected, by program and port
    named = ["perl:9999", "perl:9998/tcp", "/home/mallory/sshd", "container:9996", "sshd:9995/tcp", ":9994"]
    configure(stack, host, tries=4, unexpected="fail", expected=named)
    stack.up()

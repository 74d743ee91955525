"""The scripts of `components/sshd/` on a stage: the new configuration is built, tested and applied."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.shell_room import Stage
from tests.unit.components.sshd.daemons import (
    ASIDE,
    CHAPTER,
    CLOUD,
    DEBIAN,
    DROPIN,
    MAIN,
    SETTINGS,
    SYSTEMCTL,
    Host,
    host,
    inputs,
    one_host,
    socket,
)

__all__ = ["host", "one_host"]


def test_a_drop_in_comes_first_and_goes_again(host: Host) -> None:
    seen = host.applied(inputs())
    assert host.stage.read(DROPIN).startswith("# Written by Stockade")
    assert host.stage.path(DROPIN).stat().st_mode & 0o777 == 0o600
    assert set(host.files()) - set(host.before) == {DROPIN[1:]}
    assert {name: host.files()[name] for name in host.before} == host.before
    assert host.told()["passwordauthentication"] == host.told()["permitrootlogin"] == "no"
    assert (seen.ours, seen.version, seen.ports) == (True, "OpenSSH_9.2p1 Debian-2", (22,))
    assert host.asked() == ["systemctl reload ssh.service"]
    assert host.restore(inputs()).status == 0
    assert host.files() == host.before
    assert not host.stage.path("/run/stockade-sshd").exists()


def test_nothing_to_do_reloads_and_changes_nothing_else(host: Host) -> None:
    host.applied(inputs())
    made = host.files()
    assert host.apply(inputs()).status == 0
    assert host.files() == made


@pytest.mark.parametrize(
    ("version", "main", "place"),
    [
        ("9.2", "Port 22\nInclude /etc/ssh/sshd_config.d/*.conf\n", ASIDE),
        ("9.2", "Include sshd_config.d/*.conf\n", DROPIN),
        ("9.2", "Include /etc/ssh/sshd_config.d/[1-9]*.conf\n", ASIDE),
        ("9.2", "LogLevel INFO\n\nMatch User carl\n  PasswordAuthentication yes\n", ASIDE),
        ("10.6", "Include /etc/ssh/sshd_config.d/*.conf\nAllowUsers deploy carl root\n", DROPIN),
        ("7.9", "LogLevel INFO\n\nMatch User deploy\n  PasswordAuthentication yes\n", MAIN),
        ("6.0", "Match User root\n  PermitRootLogin yes\n", MAIN),
        ("6.0", "LogLevel INFO\n", MAIN),
    ],
)
def test_where_the_first_value_is_read_is_where_the_lines_go(
    one_host: Host, version: str, main: str, place: str
) -> None:
    one_host.stage.write("/stage/openssh", f"{version}\n")
    one_host.stage.write(MAIN, main, 0o600)
    before = one_host.files()
    one_host.applied(inputs())
    assert "PermitRootLogin no" in one_host.stage.read(place)
    assert one_host.stage.read(MAIN).startswith("# >>> Stockade") == (place != DROPIN)
    assert one_host.told("deploy")["passwordauthentication"] == one_host.told("carl")["passwordauthentication"] == "no"
    changed = inputs(SETTINGS + "LogLevel VERBOSE\n")
    seen = one_host.applied(changed)
    assert seen.ports == (22,)
    assert "permitrootlogin no\n" in seen.root
    assert one_host.stage.read(MAIN).count(">>> Stockade") <= 2
    assert one_host.restore(changed).status == 0
    assert one_host.files() == before


def test_lines_elsewhere_that_would_add_are_commented_out_and_come_back(host: Host) -> None:
    host.stage.write(MAIN, DEBIAN + "AllowUsers carl\n  allowusers = ann\n", 0o600)
    before = host.files()
    declared = inputs(SETTINGS + "AllowUsers deploy\n")
    host.applied(declared)
    assert host.stage.read(MAIN).endswith("#stockade# AllowUsers carl\n#stockade#   allowusers = ann\n")
    assert host.restore(declared).status == 0
    assert host.files() == before


def test_what_others_write_meanwhile_stays(host: Host) -> None:
    declared = inputs(SETTINGS + "AllowUsers deploy\n")
    host.stage.write(MAIN, f"Port 22\n{DEBIAN}AllowUsers carl\n", 0o600)
    host.applied(declared)
    host.stage.write(MAIN, host.stage.read(MAIN) + "LogLevel DEBUG\n", 0o600)
    assert host.restore(declared).status == 0
    assert host.stage.read(MAIN) == f"Port 22\n{DEBIAN}AllowUsers carl\nLogLevel DEBUG\n"


def untouched(_stage: Stage) -> None:
    pass


def later(stage: Stage) -> None:
    stage.write("/etc/ssh/sshd_config.d/60-broken.conf", "PermitRotLogin no\n")


def theirs(stage: Stage) -> None:
    stage.write(DROPIN, "PermitRootLogin no\n")


def linked(stage: Stage) -> None:
    stage.path(MAIN).rename(stage.path("/etc/ssh/real"))
    stage.path(MAIN).symlink_to("real")


REFUSED: dict[str, tuple[int, str, str, Callable[[Stage], Any]]] = {
    "unknown keyword": (65, "the declared settings line 2: Bad configuration option: Magic", "Magic yes\n", untouched),
    "broken drop-in": (65, "/etc/ssh/sshd_config.d/60-broken.conf line 1: Bad configuration option", "", later),
    "options of the service": (
        65,
        "overrides the\ndeclared settings for deploy. Wanted:\nkbdinteractiveauthentication no\n"
        "passwordauthentication no\npermitrootlogin no\nThere would be:\nkbdinteractiveauthentication no\n"
        "passwordauthentication no\npermitrootlogin yes\n",
        "",
        lambda stage: stage.write("/etc/default/ssh", "SSHD_OPTS='-oPermitRootLogin=yes'\n"),
    ),
    "ports in an address": (
        65,
        "a ListenAddress on the host names ports\nitself (22), so Port would not count",
        "Port 2222\n",
        lambda stage: stage.write(CLOUD, "ListenAddress 192.0.2.1:22\n"),
    ),
    "a file of others": (73, f"{DROPIN} is not Stockade's", "", theirs),
    "no room": (
        74,
        f"{DROPIN} cannot be written",
        "",
        lambda stage: stage.program("mv", 'case $* in *.stockade*) exit 1 ;; esac; exec /usr/bin/mv "$@"'),
    ),
    "a link": (73, f"{MAIN} is a symbolic link", "AllowUsers deploy\n", linked),
    "no sshd": (69, "there is no OpenSSH server", "", lambda stage: stage.path("/usr/local/sbin/sshd").unlink()),
    "no configuration": (69, "there is no OpenSSH server", "", lambda stage: stage.path(MAIN).unlink()),
    "no semanage": (69, "semanage is missing", "Port 2222\n", lambda stage: stage.program("selinuxenabled")),
    "a huge file": (68, "sshd_config has 1048577 bytes", "", lambda stage: os.truncate(stage.path(MAIN), 1048577)),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_would_not_do_is_refused_and_nothing_is_changed(one_host: Host, why: str) -> None:
    status, words, more, prepare = REFUSED[why]
    if why != "a link":
        prepare(one_host.stage)
    else:
        one_host.stage.write(MAIN, DEBIAN + "AllowUsers carl\n")
        prepare(one_host.stage)
    before = one_host.files()
    settings = SETTINGS if why != "unknown keyword" else ""
    answer = one_host.apply(inputs(settings + more, "deploy"))
    assert (answer.status, one_host.files()) == (status, before), answer.stderr
    assert words in answer.stderr
    assert "/run/stockade-sshd" not in answer.stderr
    assert not one_host.asked()


def test_a_match_of_one_user_is_told_where_it_cannot_be_overridden(host: Host) -> None:
    """OpenSSH uses the first Match block: one in a drop-in whose name sorts before ours overrides it."""
    host.stage.write(
        "/etc/ssh/sshd_config.d/0-first.conf", "Match User deploy\nPasswordAuthentication yes\nMatch all\n"
    )
    answer = host.apply(inputs())
    assert answer.status == 0, "the block goes before it then"
    assert host.told("deploy")["passwordauthentication"] == "no"


def test_a_host_that_changes_nothing_shows_each_login(host: Host) -> None:
    host.stage.write(MAIN, DEBIAN + "Match User deploy\nMaxAuthTries 2\n", 0o600)
    seen = host.look(inputs("MaxAuthTries 3\n"))
    assert (seen.wanted, seen.admin, seen.root) == ("maxauthtries 3\n", "maxauthtries 4\n", "maxauthtries 4\n")
    assert not seen.ours
    host.stage.write(MAIN, "Match User deploy\nMaxAuthTries 2\n", 0o600)
    seen = host.look(inputs("MaxAuthTries 3\n"))
    assert (seen.admin, seen.root) == ("maxauthtries 2\n", "maxauthtries 6\n")


def test_the_socket_unit_listens_at_declared_ports(host: Host) -> None:
    socket(host.stage)
    declared = inputs(SETTINGS + "Port 2222\nPort 22\n")
    assert host.apply(declared).status == 0
    unit = "/etc/systemd/system/ssh.socket.d/zz-stockade.conf"
    assert host.stage.read(unit) == (
        "# Written by Stockade.\n[Socket]\nListenStream=\n"
        "ListenStream=0.0.0.0:22\nListenStream=0.0.0.0:2222\nListenStream=[::]:22\nListenStream=[::]:2222\n"
    )
    assert host.stage.path(unit).stat().st_mode & 0o777 == 0o644
    assert host.asked() == [
        "systemctl daemon-reload",
        "systemctl stop ssh.socket ssh.service",
        "systemctl reset-failed ssh.socket ssh.service",
        "systemctl start ssh.socket",
    ]
    host.stage.write("/stage/listens", "Listen=[::]:22 (Stream)\nListen=[::]:2222 (Stream)\n")
    assert host.look(declared).ports == (22, 2222)
    host.stage.forget_calls()
    assert host.apply(inputs()).status == 0
    assert not host.stage.path(unit).parent.exists()
    host.stage.forget_calls()
    assert host.apply(inputs(SETTINGS + "LogLevel VERBOSE\n")).status == 0
    assert host.asked() == ["systemctl try-restart ssh.service"]
    assert host.restore(inputs()).status == 0
    assert host.files() == host.before


@pytest.mark.parametrize("how", ["options", "unit"])
def test_an_sshd_that_reads_another_file_is_told(one_host: Host, how: str) -> None:
    """Writing to the usual file would have no effect, and `sshd -T` would show that file."""
    stage = one_host.stage
    started = "-D -f {}"
    for file, told in ((MAIN, ""), ("/etc/ssh/alt", "sshd is started with another configuration: -f /etc/ssh/alt")):
        if how == "options":
            stage.write("/etc/default/ssh", f'SSHD_OPTS="{started.format(file)}"\n')
        else:
            row = (
                f"ExecStart={{ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd {started.format(file)} ; ignore_errors=no }}"
            )
            stage.program("systemctl", f"case $* in 'show -p ExecStart '*) echo '{row}' ;; *) {SYSTEMCTL}\n;; esac")
        answer = one_host.apply(inputs())
        assert (answer.status, told in answer.stderr) == (69 if told else 0, True)
        assert (stage.one(CHAPTER.observe(inputs())).status == 69) == bool(told)
    assert one_host.restore(inputs()).status == 0

"""Listeners on a stage: sockets as ss or netstat prints them, held by processes of the stage."""

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from hosts.packages.manager import LOCK_TIMEOUT
from hosts.scripts import script, source
from hosts.shell import Answer, Script
from hosts.system.listeners import KERNEL, NO_TOOL, Listener, listeners
from tests.shell_room import Stage

SS = """\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port
udp   UNCONN 0      0      0.0.0.0:68         0.0.0.0:*  ino:{kernel} sk:1 cgroup:/x ino:{held}
tcp   LISTEN 0      128    [::]:80            [::]:*     uid:33 ino:{held} sk:2
tcp   LISTEN 0      128    127.0.0.1:9090     0.0.0.0:*  ino:{waits} sk:3
"""
NETSTAT = """\
Active Internet connections (only servers)
Proto Recv-Q Send-Q Local Address  Foreign Address State  User Inode
tcp6  0      0      :::80          :::*            LISTEN 33   {held}
"""


@pytest.fixture
def held(stage: Stage) -> Iterator[str]:
    """The inode of a socket of a process on the stage."""
    stage.write("/etc/os-release", "ID=debian\nVERSION_ID=12\n")
    stage.program("dpkg-query", 'case $2 in /host/usr/*) echo "coreutils:amd64, other: $2" ;; *) exit 1 ;; esac')
    one, other = socket.socketpair()
    with one, other, subprocess.Popen(stage.command("/usr/bin/sleep", "600"), stdin=one) as process:
        yield str(os.fstat(one.fileno()).st_ino)
        stage.close()
        process.wait(20)


def look(stage: Stage) -> Answer:
    return stage.one(Script("look", script("hosts/system/listeners.sh")))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be the owner of programs")
def test_programs_of_the_host_have_their_names_and_packages(stage: Stage, held: str) -> None:
    stage.program("ss", f"cat <<'END'\n{SS.format(kernel=1, held=held, waits=2)}END")
    found = listeners(look(stage).sections)
    assert found == [
        Listener("tcp", "127.0.0.1", 9090, KERNEL),
        Listener("tcp", "::", 80, "sleep", "coreutils"),
        Listener("udp", "0.0.0.0", 68, KERNEL),
    ]
    assert stage.calls("ss")[0].arguments == ("-tulne",)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be the owner of programs")
def test_netstat_is_asked_where_there_is_no_ss(stage: Stage, held: str) -> None:
    stage.program("netstat", f"cat <<'END'\n{NETSTAT.format(held=held)}END")
    assert listeners(look(stage).sections) == [Listener("tcp", "::", 80, "sleep", "coreutils")]


def test_a_host_with_neither_is_told(stage: Stage) -> None:
    assert look(stage).status == NO_TOOL


def test_how_long_another_package_manager_is_waited_for_is_one_number() -> None:
    assert f'"${{lock_wait:={LOCK_TIMEOUT}}}"' in source("hosts/packages/common.sh")

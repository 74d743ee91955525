"""Which connection a run uses, below a process that is root's own sshd as far as the host can see."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

import pytest

from hosts.guard.guarded import RunIdentity, hold
from hosts.scripts import script
from hosts.shell import Answer, Script, compose, parse
from tests.shell_room import Stage

RUN = RunIdentity("0123456789abcdef", "me@here, process 1")
SS = """\
State  Recv-Q Send-Q Local Address:Port  Peer Address:Port
ESTAB  0      0      10.0.0.2:22         10.0.0.1:4711 users:(("sshd",pid=1,fd=4)) ino:1 sk:1
LISTEN 0      0      10.0.0.2:22         10.0.0.1:4713 ino:{inode} sk:4
ESTAB  0      0      {own}  {other} timer:(keepalive,9sec,0) ino:{inode} sk:2
"""
NETSTAT = """\
Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode
tcp        0      0 10.0.0.2:22             10.0.0.1:4711           ESTABLISHED 0          1
tcp6       0      0 {own}  {other} ESTABLISHED 0          {inode}
"""


def below(stage: Stage, run: Script, name: str, listing: str = "", tool: str = "ss") -> Answer:
    """Run a script below a process of this name that has a socket; `listing`: what the tool prints of connections."""
    if not stage.path(f"/place/{name}").exists():
        stage.folder("/place")
        shutil.copy(os.path.realpath("/bin/sh"), stage.path(f"/place/{name}"))
    composed = compose((run,), stop_on_failure=True)
    stage.path("/place/run").write_bytes(composed.text)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        inode = os.fstat(theirs.fileno()).st_ino
        if listing:
            stage.write("/place/listing", listing.replace("{inode}", str(inode)))
            stage.program(tool, "cat /place/listing")
        command = stage.command(f"/place/{name}", "-c", "/bin/sh </place/run; :")
        done = subprocess.run(command, stdin=theirs, capture_output=True, check=False)
        [answer] = parse(composed, done.stdout, done.stderr)
        assert answer is not None
        return answer


def entry(stage: Stage, name: str, listing: str = "", tool: str = "ss") -> str:
    """Return what a run says of its connection."""
    look = Script("look", script("hosts/system/origin.sh") + "entry")
    return below(stage, look, name, listing, tool).stdout


@pytest.mark.parametrize("name", ["sshd", "sshd-session", "dropbearmulti"])
def test_the_connection_is_that_of_the_server_above(stage: Stage, name: str) -> None:
    listing = SS.replace("{own}", "192.0.2.2:22").replace("{other}", "198.51.100.7:50022")
    assert entry(stage, name, listing) == "198.51.100.7 50022 192.0.2.2 22\n"


@pytest.mark.parametrize(
    ("own", "other", "told"),
    [
        ("[2001:db8::2]:22", "[2001:db8::1]:4711", "2001:db8::1 4711 2001:db8::2 22\n"),
        ("[::ffff:192.0.2.2]:22", "[::ffff:198.51.100.7]:4711", "198.51.100.7 4711 192.0.2.2 22\n"),
        ("[fe80::2]%eth0:22", "[fe80::1]%eth0:4711", "fe80::1 4711 fe80::2 22\n"),
        ("192.0.2.2:22", "$(reboot):4711", ""),
        ("192.0.2.2:22", "198.51.100.7:ssh", ""),
        ("192.0.2.2:22", ":4711", ""),
        ("192.0.2.2:", "198.51.100.7:4711", ""),
    ],
)
def test_an_address_is_an_address_and_a_port_a_number(stage: Stage, own: str, other: str, told: str) -> None:
    assert entry(stage, "sshd", SS.replace("{own}", own).replace("{other}", other)) == told


def test_netstat_tells_where_there_is_no_ss(stage: Stage) -> None:
    listing = NETSTAT.replace("{own}", "192.0.2.2:22").replace("{other}", "198.51.100.7:4711")
    assert entry(stage, "sshd", listing, "netstat") == "198.51.100.7 4711 192.0.2.2 22\n"
    assert entry(stage, "bash", listing, "netstat") == ""


def test_a_run_without_a_server_or_without_a_connection_has_none(stage: Stage) -> None:
    assert entry(stage, "sshd") == ""
    listing = SS.replace("{own}", "192.0.2.2:22").replace("{other}", "198.51.100.7:50022")
    assert entry(stage, "my-sshd-not", listing) == ""
    assert entry(stage, "sshd", listing.replace("{inode}", "99")) == ""


def test_who_holds_a_host_is_the_server_of_its_connection(stage: Stage) -> None:
    listing = SS.replace("{own}", "192.0.2.2:22").replace("{other}", "198.51.100.7:50022")
    holding = hold(RUN)
    tell = "\necho above $PPID; cut -d' ' -f22 /proc/$PPID/stat"
    answer = below(stage, Script("hold", holding.body + tell, holding.values), "sshd", listing)
    above, began = answer.stdout.split("above ")[1].split()
    token, pid, start, inode, name = stage.read("/run/stockade/holder").splitlines()
    assert (token, pid, start, name) == (RUN.token, above, began, RUN.name)
    assert inode.isdigit()
    answer = below(stage, Script("hold", holding.body + "\necho me $$", holding.values), "bash")
    token, pid, start, inode, name = stage.read("/run/stockade/holder").splitlines()
    assert (pid, inode) == (answer.stdout.split("me ")[1].strip(), "")
    assert start

"""The readers of ss and netstat, and the expected listeners."""

import pytest
from pydantic import ValidationError

from components.core.chapter import KnownState
from components.failure import Failure
from components.listeners.chapter import ListenerChapter, expected, judged
from components.listeners.settings import EXPECTED, ListenerFacts, ListenerInputs, ListenerSettings
from hosts.shell import Answer
from hosts.system.listeners import Listener, Socket, listeners, parse_netstat, parse_ss
from tests.unit.recorded import case

SECTIONS = case("chapters", "listener", "Debian 8, as printed in the guide")["sections"]

SS = """\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
udp   UNCONN 0      0 0.0.0.0:111       0.0.0.0:*    ino:111 sk:1 cgroup:/system.slice/rpcbind.service <->
udp   UNCONN 0      0 [fe80::5eff:fe10:77]%eth0:123          [::]:*    uid:105 ino:123 sk:2 <->
udp   UNCONN 0      0 127.0.0.1%lo:323       0.0.0.0:*    ino:323 sk:3 <->
tcp   LISTEN 0      20 [::1]:25           [::]:*    ino:25 sk:4 v6only:1 <->
tcp   LISTEN 0      511 *:80              *:*    ino:80 sk:5 cgroup:/user.slice/x ino:22 <->
tcp   LISTEN 0      4096 0.0.0.0:22        0.0.0.0:*    ino:22 sk:6 <->
"""


def test_the_services_of_the_guide() -> None:
    found = listeners(SECTIONS)
    assert len(found) == 12
    assert {one.process for one in found} == {"rpcbind", "sshd", "exim4", "rpc.statd", "ntpd", "kernel"}
    assert Listener("tcp", "::1", 25, "exim4", "exim4-daemon-light") in found
    assert Listener("udp", "192.0.2.1", 123, "ntpd", "ntp", uid=105) in found
    assert {one.address for one in found if one.loopback} == {"127.0.0.1", "::1"}
    left = {one.process for one in found if not one.loopback and not expected(one, EXPECTED)}
    # "Exim and RPC, however, are unnecessary"; Exim listens only on loopback
    assert left == {"rpcbind", "rpc.statd", "kernel"}


def test_both_tools_are_read_by_inode() -> None:
    assert [one.inode for one in parse_ss(SS)] == ["111", "123", "323", "25", "80", "22"]
    assert parse_ss("tcp LISTEN 0 128 :::22 :::* ino:4711 sk:ffff\n") == [Socket("tcp", "::", 22, "4711")]
    assert parse_netstat(SECTIONS["netstat"])[0] == Socket("tcp", "0.0.0.0", 111, "111")
    assert parse_netstat(SECTIONS["netstat"])[-1] == Socket("udp", "0.0.0.0", 2049, "999")


def test_who_holds_a_socket_is_told_by_the_program_and_its_place() -> None:
    sections = {
        "ss": SS,
        "holders": "1 111\n33 111\n295 25\n70 80\n71 80\n72 80\n73 80\n1 22\n",
        "programs": "1 host 0 systemd /usr/lib/systemd/systemd\n33 host 101 rpcbind /usr/sbin/rpcbind\n"
        "295 host 0 exim4-daemon-light /usr/sbin/exim4\n70 host 0 apache2-bin /usr/sbin/apache2\n"
        "71 host 33 apache2-bin /usr/sbin/apache2\n72 user 1001 - /home/mallory/apache2\n"
        "73 container 1001 - /usr/sbin/apache2\n",
        "sockets": "0.0.0.0:22 ssh openssh-server\n",
    }
    found = [str(one) for one in listeners(sections)]
    assert "tcp 0.0.0.0:22 ssh (package openssh-server)" in found
    assert "udp 0.0.0.0:111 rpcbind (package rpcbind)" in found
    assert "udp 127.0.0.1:323 kernel" in found
    assert [text.partition(":80 ")[2] for text in found if ":80 " in text] == [
        "/home/mallory/apache2 (of uid 1001)",
        "apache2 (package apache2-bin)",
        "apache2 (package apache2-bin)",
        "container (/usr/sbin/apache2, of uid 1001)",
    ]
    by_address = {(one.address, one.port): one for one in listeners(sections)}
    assert by_address["fe80::5eff:fe10:77", 123].process == "kernel"
    assert by_address["*", 80].family == "both"
    assert by_address["::1", 25].family == "ipv6"


def test_what_systems_have_by_default_is_nobodys_back_door() -> None:
    """Not expected: the host's sshd, started by a user with another configuration; a port forwarded by ssh."""
    for program in ("sshd", "ssh"):
        assert expected(Listener("tcp", "0.0.0.0", 22, program, "openssh-server"), EXPECTED)
        own = Listener("tcp", "0.0.0.0", 9995, program, "openssh-server", uid=1001)
        assert not expected(own, EXPECTED)
        assert expected(own, (*EXPECTED, f"{program}:9995"))
    for place in ("/home/mallory/sshd", "container"):
        assert not expected(Listener("tcp", "0.0.0.0", 22, place), EXPECTED)
    assert expected(Listener("tcp", "::", 80, "/opt/app/serve", uid=1000), ("/opt/app/serve:80/tcp",))
    assert expected(Listener("udp", "::", 123, "systemd-timesyncd", "systemd-timesyncd", uid=997), EXPECTED)


@pytest.mark.parametrize(
    ("entry", "allowed"),
    [
        ("nginx", True),
        ("nginx-core", True),
        ("nginx:443", True),
        ("nginx:443/tcp", True),
        (":443", True),
        ("nginx:80", False),
        ("nginx/udp", False),
        ("apache2", False),
    ],
)
def test_what_an_entry_stands_for(entry: str, allowed: bool) -> None:
    assert expected(Listener("tcp", "::", 443, "nginx", "nginx-core"), (entry,)) is allowed


@pytest.mark.parametrize("entry", ["", "/tcp", "nginx:http", "nginx:70000", "nginx/sctp", "a b"])
def test_what_is_no_entry(entry: str) -> None:
    with pytest.raises(ValidationError, match="is not \\[program or package\\]"):
        ListenerInputs(host="h", expected=(entry,))


def facts(inputs: ListenerInputs) -> ListenerFacts:
    return ListenerChapter().parse(inputs, Answer("", "", 0, SECTIONS))


def test_unexpected_ones_fail_the_run_by_option_and_say_the_mending() -> None:
    warn = ListenerInputs(host="h")
    seen = facts(warn)
    assert "tcp 0.0.0.0:111 rpcbind (package rpcbind)" in seen.unexpected
    assert "tcp 0.0.0.0:22 sshd (package openssh-server)" in seen.listening
    assert "tcp 127.0.0.1:25 exim4 (package exim4-daemon-light)" in seen.loopback
    assert ListenerChapter().differences(warn, seen) == ""
    with pytest.raises(Failure, match=r"rpcbind:111/tcp") as caught:
        ListenerChapter().differences(ListenerInputs(host="h", unexpected="fail"), seen)
    assert "Remove the package" in str(caught.value)
    allowed = ListenerInputs(host="h", unexpected="fail", expected=(*EXPECTED, "rpcbind", "rpc.statd", "kernel"))
    assert ListenerChapter().differences(allowed, facts(allowed)) == ""


def test_a_new_unexpected_listener_is_drift_and_a_known_one_is_not() -> None:
    inputs = ListenerInputs(host="h")
    recorded = facts(inputs)
    known = KnownState(inputs, recorded, recorded, recorded)
    assert ListenerChapter().as_observed(inputs, known, recorded) == inputs
    intruder = "tcp [::]:8080 nc (package netcat-openbsd)"
    more = recorded.model_copy(update={"unexpected": (*recorded.unexpected, intruder)})
    shown = ListenerChapter().as_observed(inputs, known, more)
    assert shown.unexpected_listeners == (intruder,)
    assert shown.expected == inputs.expected  # what is declared does not change
    assert shown.model_copy(update={"unexpected_listeners": ()}) == inputs
    fewer = recorded.model_copy(update={"unexpected": (), "listening": ()})
    assert ListenerChapter().as_observed(shown, known, fewer) == inputs


def test_the_loopback_is_judged_on_request() -> None:
    mail = "tcp 127.0.0.1:25 exim4 (package exim4-daemon-light)"
    assert mail not in facts(ListenerInputs(host="h", expected=EXPECTED)).unexpected
    strict = ListenerInputs(host="h", expected=(*EXPECTED, "rpcbind", "rpc.statd", "kernel"), loopback=True)
    seen = facts(strict)
    assert seen.unexpected == (mail, "tcp [::1]:25 exim4 (package exim4-daemon-light)")
    assert mail in seen.loopback
    assert ListenerSettings(loopback=True).props()["loopback"] is True
    resolver = Listener("udp", "127.0.0.53", 53, "systemd-resolve", "systemd-resolved")
    assert not judged(resolver, strict)
    assert judged(Listener("udp", "0.0.0.0", 53, "systemd-resolve"), strict)

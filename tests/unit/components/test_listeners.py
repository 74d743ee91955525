"""Readers of ss and netstat, and what is expected of what they show."""

import pytest
from pydantic import ValidationError

from components.chapter import Failure, Known
from components.listeners import (
    EXPECTED,
    ListenerChapter,
    ListenerFacts,
    ListenerInputs,
    ListenerSettings,
    _judged,
    expected,
)
from hosts.listeners import Listener, listeners, parse_netstat, parse_ss
from hosts.shell import Answer

# As printed in the guide ("Determine Running Services", Debian 8).
GUIDE = """\
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:111             0.0.0.0:*               LISTEN      7315/rpcbind
tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      3277/sshd
tcp        0      0 127.0.0.1:25            0.0.0.0:*               LISTEN      3179/exim4
tcp        0      0 0.0.0.0:42526           0.0.0.0:*               LISTEN      2845/rpc.statd
tcp6       0      0 :::48745                :::*                    LISTEN      2845/rpc.statd
tcp6       0      0 :::111                  :::*                    LISTEN      7315/rpcbind
tcp6       0      0 :::22                   :::*                    LISTEN      3277/sshd
tcp6       0      0 ::1:25                  :::*                    LISTEN      3179/exim4
udp        0      0 127.0.0.1:901           0.0.0.0:*                           2845/rpc.statd
udp        0      0 0.0.0.0:47663           0.0.0.0:*                           2845/rpc.statd
udp        0      0 0.0.0.0:111             0.0.0.0:*                           7315/rpcbind
udp        0      0 192.0.2.1:123           0.0.0.0:*                           3327/ntpd
udp        0      0 127.0.0.1:123           0.0.0.0:*                           3327/ntpd
udp        0      0 0.0.0.0:123             0.0.0.0:*                           3327/ntpd
udp        0      0 0.0.0.0:705             0.0.0.0:*                           7315/rpcbind
udp6       0      0 :::111                  :::*                                7315/rpcbind
udp6       0      0 fe80::f03c:91ff:fec:123 :::*                                3327/ntpd
udp6       0      0 2001:DB8::123           :::*                                3327/ntpd
udp6       0      0 ::1:123                 :::*                                3327/ntpd
udp6       0      0 :::123                  :::*                                3327/ntpd
udp6       0      0 :::705                  :::*                                7315/rpcbind
udp6       0      0 :::60671                :::*                                2845/rpc.statd
"""

SS = """\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
udp   UNCONN 0      0 0.0.0.0:111       0.0.0.0:*    users:(("rpcbind",pid=33,fd=5),("systemd",pid=1,fd=29))
udp   UNCONN 0      0 [fe80::5eff:fe10:77]%eth0:123          [::]:*    users:(("ntpd",pid=38,fd=22))
udp   UNCONN 0      0 127.0.0.1%lo:323       0.0.0.0:*
tcp   LISTEN 0      20 [::1]:25           [::]:*    users:(("exim4",pid=295,fd=5))
tcp   LISTEN 0      511 *:80              *:*    users:(("apache2",pid=71,fd=4),("apache2",pid=70,fd=4))
tcp   LISTEN 0      4096 0.0.0.0:22        0.0.0.0:*    users:(("systemd",pid=1,fd=33))
"""


def test_the_netstat_output_of_the_guide() -> None:
    found = parse_netstat(GUIDE)
    assert len(found) == 22
    assert {one.process for one in found} == {"rpcbind", "sshd", "exim4", "rpc.statd", "ntpd"}
    assert Listener("tcp", "::1", 25, "exim4", pid=3179) in found
    assert Listener("udp", "192.0.2.1", 123, "ntpd", pid=3327) in found
    assert {one.address for one in found if one.loopback} == {"127.0.0.1", "::1"}
    left = {one.process for one in found if not one.loopback and not expected(one, EXPECTED)}
    # "Exim and RPC, however, are unnecessary"; Exim listens on the loopback only
    assert left == {"rpcbind", "rpc.statd"}


def test_ss_names_the_service_and_not_the_systemd_that_opened_its_socket() -> None:
    found = {(one.address, one.port): one for one in parse_ss(SS)}
    assert found["0.0.0.0", 111].process == "rpcbind"
    assert found["fe80::5eff:fe10:77", 123] == Listener("udp", "fe80::5eff:fe10:77", 123, "ntpd", pid=38)
    assert found["127.0.0.1", 323].process == ""
    assert found["127.0.0.1", 323].loopback
    assert found["::1", 25].family == "ipv6"
    assert found["*", 80].family == "both"
    assert not found["*", 80].loopback
    assert len(found) == 6


def test_ss_of_centos_6_has_no_pid_before_the_number() -> None:
    text = 'tcp LISTEN 0 128 :::22 :::* users:(("sshd",1204,4))\n'
    assert parse_ss(text) == [Listener("tcp", "::", 22, "sshd", pid=1204)]


def test_a_socket_that_waits_for_its_first_connection_is_named_by_its_unit() -> None:
    sections = {
        "ss": SS,
        "owners": "1 systemd\n33 rpcbind\n295 exim4-daemon-light\n71 \n",
        "sockets": "0.0.0.0:22 ssh openssh-server\n",
    }
    found = {(one.address, one.port): one for one in listeners(sections)}
    assert str(found["0.0.0.0", 22]) == "tcp 0.0.0.0:22 ssh (package openssh-server)"
    assert found["::1", 25].package == "exim4-daemon-light"
    assert found["*", 80].package == ""
    assert str(found["127.0.0.1", 323]) == "udp 127.0.0.1:323 ?"


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
    with pytest.raises(ValidationError, match="is not \\[process or package\\]"):
        ListenerInputs(host="h", expected=(entry,))


def facts(inputs: ListenerInputs) -> ListenerFacts:
    sections = {"netstat": GUIDE, "owners": "7315 rpcbind\n3277 openssh-server\n"}
    return ListenerChapter().parse(inputs, Answer("", "", 0, sections))


def test_unexpected_ones_fail_the_run_by_option_and_say_the_mending() -> None:
    warn = ListenerInputs(host="h")
    seen = facts(warn)
    assert "tcp 0.0.0.0:111 rpcbind (package rpcbind)" in seen.unexpected
    assert "tcp 0.0.0.0:22 sshd (package openssh-server)" in seen.listening
    assert "tcp 127.0.0.1:25 exim4" in seen.loopback
    assert ListenerChapter().unmet(warn, seen) == ""
    with pytest.raises(Failure, match=r"rpcbind:111/tcp") as caught:
        ListenerChapter().unmet(ListenerInputs(host="h", unexpected="fail"), seen)
    assert "Remove the package" in str(caught.value)
    allowed = ListenerInputs(host="h", unexpected="fail", expected=(*EXPECTED, "rpcbind", "rpc.statd"))
    assert ListenerChapter().unmet(allowed, facts(allowed)) == ""


def test_a_new_unexpected_listener_is_drift_and_a_known_one_is_not() -> None:
    inputs = ListenerInputs(host="h")
    recorded = facts(inputs)
    known = Known(inputs, recorded, recorded, recorded)
    assert ListenerChapter().shown(inputs, known, recorded) == inputs
    intruder = "tcp [::]:8080 nc (package netcat-openbsd)"
    more = recorded.model_copy(update={"unexpected": (*recorded.unexpected, intruder)})
    shown = ListenerChapter().shown(inputs, known, more)
    assert shown.unexpected_listeners == (intruder,)
    assert shown.expected == inputs.expected  # what is declared stays what it is
    assert shown.model_copy(update={"unexpected_listeners": ()}) == inputs
    fewer = recorded.model_copy(update={"unexpected": (), "listening": ()})
    assert ListenerChapter().shown(shown, known, fewer) == inputs


def test_the_loopback_is_judged_on_request() -> None:
    mail = "tcp 127.0.0.1:25 exim4"
    assert mail not in facts(ListenerInputs(host="h", expected=EXPECTED)).unexpected
    judged = ListenerInputs(host="h", expected=(*EXPECTED, "rpcbind", "rpc.statd"), loopback=True)
    seen = facts(judged)
    assert seen.unexpected == (mail, "tcp [::1]:25 exim4")
    assert mail in seen.loopback
    assert ListenerSettings(loopback=True).props()["loopback"] is True
    resolver = Listener("udp", "127.0.0.53", 53, "systemd-resolve", "systemd-resolved")
    assert not _judged(resolver, judged)
    assert _judged(Listener("udp", "0.0.0.0", 53, "systemd-resolve"), judged)

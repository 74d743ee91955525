"""The command line of the lab: what each command asks of the lab, prints, and ends with."""

import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call

import pytest

from local.lab import cli, keys
from local.lab.api import HostStatus
from local.lab.errors import LabError


def status(name: str, **more: Any) -> HostStatus:
    values: dict[str, Any] = dict.fromkeys(HostStatus.__dataclass_fields__, "")
    return HostStatus(**{**values, "name": name, "users": ["root"], "port": 22, "init_pid": 0, "boots": 1, **more})


def host(name: str) -> Mock:
    made = Mock()
    made.name = name
    made.status.return_value = status(name, variant="debian", state="running", ipv4="192.0.2.1", ipv6="2001:db8::1")
    made.enter_argv.side_effect = lambda words: ["nsenter", name, *words]
    return made


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mock:
    """The lab; `executed` is what replaces this process."""
    made = Mock(executed=[])
    made.up.side_effect = lambda names, _variant: [host(name) for name in names]
    made.host.side_effect = lambda name, hosts={}: hosts.setdefault(name, host(name))
    made.down.return_value = ["web1"]
    made.places = "the places"
    monkeypatch.setattr(cli, "Lab", lambda progress: made)
    monkeypatch.setattr(cli, "check_machine", lambda: None)
    monkeypatch.setattr(keys, "ssh_config_file", lambda places: tmp_path / "config" if places == made.places else None)
    monkeypatch.setattr(os, "execvp", lambda program, argv: made.executed.append((program, argv)))
    return made


@pytest.mark.parametrize(
    ("words", "names", "variant"),
    [
        ("up", ["web1"], "debian"),
        ("up db1 web2 --variant arch", ["db1", "web2"], "arch"),
        ("up --count 1", ["web1"], "debian"),
        ("up db1 --count 3", ["db1", "web1", "web2", "web3"], "debian"),
    ],
)
def test_up(lab: Mock, capsys: pytest.CaptureFixture[str], words: str, names: list[str], variant: str) -> None:
    assert cli.main(words.split()) == 0
    assert lab.up.call_args == call(names, variant)
    head, *rows, blank, login = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "VARIANT", "STATE", "IPV4", "IPV6", "BOOTS"]
    assert [row.split() for row in rows] == [
        [name, "debian", "running", "192.0.2.1", "2001:db8::1", "1"] for name in names
    ]
    assert {row.index("debian") for row in rows} == {head.index("VARIANT")}
    assert (blank, login.split()[-1]) == ("", names[0])
    assert "/config " in login


def test_a_number_below_one_is_refused(lab: Mock, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "--count", "0"]) == cli.CANNOT
    assert capsys.readouterr().err == "lab: --count needs a number of 1 or more\n"
    assert not lab.up.called


@pytest.mark.parametrize(
    ("words", "names", "purged"), [("down", None, False), ("down a b", ["a", "b"], False), ("down --purge", None, True)]
)
def test_down(lab: Mock, capsys: pytest.CaptureFixture[str], words: str, names: Any, purged: bool) -> None:
    assert cli.main(words.split()) == 0
    assert lab.down.call_args == call(names)
    assert lab.purge.called is purged
    assert capsys.readouterr().err == ""
    lab.down.return_value = []
    assert cli.main(words.split()) == 0
    assert capsys.readouterr().err == "no host was up\n"


def test_status(lab: Mock, capsys: pytest.CaptureFixture[str]) -> None:
    lab.hosts.return_value = [host("a"), host("b")]
    assert cli.main(["status"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["NAME", "a", "b"]
    assert cli.main(["status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["state"]) for one in found] == [("a", "running"), ("b", "running")]
    lab.hosts.return_value = []
    cli.main(["status"])
    assert capsys.readouterr().out == "no hosts; start one with: stockade lab up\n"
    cli.main(["status", "--json"])
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("words", "executed"),
    [
        ("exec a id -u", ["nsenter", "a", "id", "-u"]),
        ("exec a -- id -u", ["nsenter", "a", "id", "-u"]),
        ("ssh a", ["ssh", "-F", "CONFIG", "a"]),
        ("ssh a -- id -u", ["ssh", "-F", "CONFIG", "a", "id", "-u"]),
    ],
)
def test_a_command_replaces_this_process(lab: Mock, tmp_path: Path, words: str, executed: list[str]) -> None:
    cli.main(words.split())
    expected = [str(tmp_path / "config") if word == "CONFIG" else word for word in executed]
    assert lab.executed == [(expected[0], expected)]


@pytest.mark.usefixtures("lab")
def test_exec_needs_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["exec", "a"]) == cli.CANNOT
    assert capsys.readouterr().err == "lab: exec needs a command: stockade lab exec a iptables-save\n"


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("reboot a", call.reboot(hard=False)),
        ("reboot a --hard", call.reboot(hard=True)),
        ("reset a", call.reset()),
        ("cut a", call.cut()),
        ("mend a", call.mend()),
    ],
)
def test_what_is_asked_of_a_host(lab: Mock, words: str, asked: Any) -> None:
    assert cli.main(words.split()) == 0
    assert lab.host("a").mock_calls == [asked]


def test_several_hosts_are_reset(lab: Mock) -> None:
    assert cli.main(["reset", "a", "b"]) == 0
    assert lab.host("a").reset.called
    assert lab.host("b").reset.called


@pytest.mark.parametrize(
    ("error", "ended", "said"),
    [
        (LabError("no such host"), 2, "lab: no such host\n"),
        (OSError(28, "No space left on device"), 2, "lab: [Errno 28] No space left on device\n"),
        (KeyboardInterrupt(), 130, "lab: interrupted; stockade lab down clears up\n"),
    ],
)
def test_a_failure_is_one_sentence(
    lab: Mock, capsys: pytest.CaptureFixture[str], error: BaseException, ended: int, said: str
) -> None:
    lab.hosts.side_effect = error
    assert cli.main(["status"]) == ended
    assert capsys.readouterr().err == said

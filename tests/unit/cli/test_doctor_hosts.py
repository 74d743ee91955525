"""What `stockade doctor` says of a host that answers: logins, the record, whoever manages it. And its progress."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from cli.doctor import hosts as asked
from cli.doctor.command import _progress
from cli.doctor.findings import About, Finding, Level, Subject
from cli.doctor.hosts import Checkup, hosts
from hosts.errors import LoginRefused
from hosts.guard.record import Ledger, Machine, Owner
from hosts.shell import Answer
from hosts.ssh.connection import Connection, HostAccess

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGv9Q3JxZbA7WQm1pYpZ0E2QpV0mJYk5vTn5bX8Fd3Rk"
ROOT = Connection(host="198.51.100.11", user="root", host_key=KEY)
ADMIN = Connection(host="198.51.100.11", user="deploy")
OURS = ("stockade", "mine")


def found_on(
    monkeypatch: pytest.MonkeyPatch, *, login: str, owners: Sequence[str] = (), outdated: str = "", **logins: Connection
) -> list[Finding]:
    """What is found on a host that is reached with `login`, whose record names these stacks."""
    access = HostAccess.model_validate({"name": "web1", **logins})
    look = Answer("", "", 0, {"system": "debian\n12\ndebian\n", "clock": "0", "space": "/dev/x 9 1 999999 1% /\n"})
    known = Ledger(Machine(), {name: Owner("claim", "stockade", name, "web1") for name in owners}, frozenset())
    host = SimpleNamespace(
        name="web1", login=login, access=access, outdated=outdated,
        connect=lambda: None, entered=lambda: logins[login], run=lambda *_scripts: (look, look),
    )  # fmt: skip
    monkeypatch.setattr(asked, "ledger", lambda _answer: known)
    monkeypatch.setattr(asked, "trust_of", lambda _login: SimpleNamespace(keys=[]))
    return [*asked._host(host, Subject(About.HOST, "web1"), OURS)]  # type: ignore[arg-type]


def said(found: Sequence[Finding], level: Level) -> list[str]:
    return [one.message for one in found if one.level is level]


@pytest.mark.parametrize(
    ("login", "message"),
    [
        ("bootstrap", "bootstrap root@198.51.100.11 logs in and is root; host key pinned"),
        ("admin", "admin deploy@198.51.100.11 logs in and becomes root with sudo; host key as in known_hosts"),
    ],
)
def test_a_login_is_named_with_what_it_may(monkeypatch: pytest.MonkeyPatch, login: str, message: str) -> None:
    found = found_on(monkeypatch, login=login, admin=ADMIN, bootstrap=ROOT)
    assert message in said(found, Level.OK)


def test_an_admin_who_cannot_log_in_is_expected_only_before_the_first_run(monkeypatch: pytest.MonkeyPatch) -> None:
    new = found_on(monkeypatch, login="bootstrap", admin=ADMIN, bootstrap=ROOT)
    assert "the admin deploy cannot log in yet: the first `up` sees to that" in said(new, Level.OK)
    assert not [one for one in said(new, Level.WARNING) if "admin" in one]
    hardened = found_on(monkeypatch, login="bootstrap", owners=["mine"], admin=ADMIN, bootstrap=ROOT)
    assert [one for one in said(hardened, Level.WARNING) if "deploy cannot log in or become root" in one] != []
    for reached in ({"login": "admin", "admin": ADMIN}, {"login": "bootstrap", "bootstrap": ROOT}):
        fine = found_on(monkeypatch, owners=["mine"], **reached)  # type: ignore[arg-type]
        assert not [one.message for one in fine if "cannot log in" in one.message]


def test_an_older_login_that_works_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_on(monkeypatch, login="admin", admin=ADMIN, outdated="the new key")
    assert "the host refused the new key; earlier ones work" in said(found, Level.WARNING)


def test_each_stack_that_manages_a_host_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_on(monkeypatch, login="admin", owners=["mine", "other"], admin=ADMIN)
    assert "managed by this stack: 1 resource" in said(found, Level.OK)
    assert [one for one in said(found, Level.WARNING) if "manages it" in one] == [
        "the stack other of the project stockade manages it"
    ]


def test_a_login_that_needs_an_unknown_secret_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def refused(access: HostAccess) -> Any:
        tried.append(access.name)
        raise LoginRefused("no", host=access.name)

    monkeypatch.setattr(asked, "Pool", lambda: SimpleNamespace(host=refused, close=lambda: None))
    secret = Connection.model_validate({"host": "198.51.100.12", "user": "deploy", "password": "?"})
    both = [HostAccess(name="web1", admin=ADMIN), HostAccess(name="web2", admin=secret)]
    for unknown, names in ((True, ["web1"]), (False, ["web1", "web2"])):
        tried.clear()
        found = [*hosts(Checkup(both, OURS, unknown_secrets=unknown, patience=1))]
        assert sorted(tried) == names
        assert [one.level for one in found if one.subject == "web1"] == [Level.ERROR]
        (refusal,) = [one for one in found if one.subject == "web1"]
        assert "ssh -p 22 deploy@198.51.100.11" in refusal.remedy


@pytest.mark.parametrize(("terminal", "quiet"), [(True, False), (True, True), (False, False)])
def test_progress_is_shown_on_a_terminal_and_never_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool, quiet: bool
) -> None:
    errors = io.StringIO()
    monkeypatch.setattr(errors, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", errors)
    monkeypatch.setenv("TERM", "xterm")
    with _progress(2, quiet=quiet) as told:
        told("web1")
    assert ("asking 2 hosts" in errors.getvalue()) is (terminal and not quiet)
    assert capsys.readouterr().out == ""

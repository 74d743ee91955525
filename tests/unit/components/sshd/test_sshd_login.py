"""The login that must work before and after sshd's settings change: which one is proved, and when a change is refused.

The logins themselves are tested on hosts (tests/lab/ssh); here a host only tells how it was entered."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from components.core.chapter import KnownState
from components.failure import Failure
from components.sshd import effective
from components.sshd import login as module
from components.sshd.chapter import SshdChapter, listening_on
from components.sshd.login import Entrance, entrance, sole_login
from components.sshd.settings import SshdFacts, SshdInputs
from hosts import pool
from hosts.errors import Unreachable
from hosts.guard.guarded import RunIdentity
from hosts.shell import Answer, Script
from hosts.ssh.connection import Connection, HostAccess

ADMIN = {"host": "192.0.2.1", "user": "deploy", "password": "hunter2"}
ROOT = {"host": "192.0.2.1", "user": "root"}


@dataclass
class Entered:
    """A host that this run has entered."""

    access: HostAccess
    name: str = "web1"
    login: str = "admin"
    first_login_proved: bool = False
    port: int = 22
    looks: str = "198.51.100.7%eth0\n22\ndeploy sudo\n"
    refuses: bool = False
    proved: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Script] = field(default_factory=list)

    def entered(self) -> Connection:
        """How this run logged in."""
        return self.access.logins()[0][1].model_copy(update={"port": self.port})

    def run(self, *scripts: Script, resource: str = "", timeout: float = 0) -> list[Answer]:
        """Tell about the login; what would be armed is."""
        self.asked += scripts
        return [Answer(self.looks, "", 0, {"armed": "yes"}) for _ in scripts]

    @property
    def identity(self) -> RunIdentity:
        """Who changes it."""
        return RunIdentity("0123456789abcdef", "me@here")

    def confirm(self, **how: Any) -> None:
        """Log in anew."""
        self.proved.append(how)
        if self.refuses:
            raise Unreachable("nobody answers", host=self.name)

    def lets_in(self) -> bool:
        """Whether it answers with the previous settings."""
        return True

    def confirm_everywhere(self, patience: float, **how: Any) -> None:
        """Log in anew at every address."""
        self.confirm(patience=patience, **how)


def entered(**logins: Any) -> Entered:
    """A host with these logins."""
    return Entered(HostAccess.model_validate({"name": "web1", **(logins or {"admin": ADMIN})}))


def way(settings: str, host: Entered | None = None, **more: Any) -> Entrance:
    """How this run entered, with these settings to come."""
    found = host or entered()
    values: dict[str, Any] = {"sole": found, "port": 22, "address": "198.51.100.7", "groups": ("deploy", "sudo")}
    values |= {"host": found, "settings": effective.canonical(settings), "current": found.entered(), **more}
    return Entrance(**values)


KEYS_ONLY = "PermitRootLogin no\nPasswordAuthentication no\n"


def test_the_login_is_proved_where_the_run_came_in() -> None:
    way(KEYS_ONLY, host := entered()).check()
    assert host.proved == [{"address": "192.0.2.1", "port": 22, "timeout": module.CONFIRM_TIMEOUT}]


def test_a_login_that_was_just_proved_is_not_proved_again_unless_sshd_moves() -> None:
    host = entered()
    host.first_login_proved = True
    way(KEYS_ONLY, host).check()
    assert host.proved == []
    moving = entered(admin={**ADMIN, "port": 2222})
    moving.first_login_proved = True
    way("Port 2222\n", moving, current=moving.entered()).check()
    assert len(moving.proved) == 1
    other = entered()
    other.first_login_proved = True
    sole = entered(admin={**ADMIN, "password": None})
    way(KEYS_ONLY, other, sole=sole).check()  # by key only: not the login that was proved
    assert len(sole.proved) == 1


@pytest.mark.parametrize(("settings", "how"), [(KEYS_ONLY, "a key"), ("PasswordAuthentication yes\n", "its credent")])
def test_a_login_that_does_not_work_is_told_before_anything_changes(settings: str, how: str) -> None:
    host = entered()
    host.refuses = True
    told = f"nothing was changed: before logins are restricted, deploy must be able to log in with {how}"
    with pytest.raises(Failure, match=told) as error:
        way(settings, host).check()
    assert "192.0.2.1" in str(error.value)


@pytest.mark.parametrize(
    ("logins", "settings", "told"),
    [
        ({"bootstrap": ROOT}, KEYS_ONLY, "PermitRootLogin no would lock out this run"),
        ({"admin": ADMIN}, "AllowGroups wheel\n", "the admin would be locked out: AllowGroups wheel"),
        ({"admin": ADMIN}, "DenyUsers deploy@198.51.100.*\n", "the admin would be locked out: DenyUsers"),
        ({"admin": ADMIN}, "Port 2222\nPort 2223\n", r"sshd would listen on 2222, 2223, but .* uses port 22\..*2222\}"),
    ],
)
def test_what_would_shut_out_the_admin_is_refused(logins: dict[str, Any], settings: str, told: str) -> None:
    host = entered(**logins)
    with pytest.raises(Failure, match=told):
        way(settings, host).check()
    assert host.proved == []


@pytest.mark.parametrize(
    ("logins", "settings", "more"),
    [
        ({"bootstrap": ROOT}, "PermitRootLogin yes\n", {}),
        ({"admin": ADMIN}, "Port 2222\nPort 22\n", {}),
        ({"admin": ADMIN}, "Port 2222\n", {"port": 2022}),  # another number before a NAT
        ({"admin": ADMIN}, "AllowGroups wheel sudo\nDenyUsers deploy@203.0.113.*\n", {}),
    ],
)
def test_what_leaves_the_admin_in_is_proved(logins: dict[str, Any], settings: str, more: dict[str, Any]) -> None:
    host = entered(**logins)
    way(settings, host, **more).check()
    assert len(host.proved) == 1


def test_sshd_moves_if_it_would_leave_the_port_of_this_run() -> None:
    assert way("Port 2222\n").moves
    assert not way("Port 2222\nPort 22\n").moves
    assert not way(KEYS_ONLY).moves


@pytest.fixture
def pooled(monkeypatch: pytest.MonkeyPatch) -> list[Entered]:
    """Hosts are made of their access data alone: all of them."""
    made: list[Entered] = []

    class Pool:
        def host(self, access: HostAccess) -> Entered:
            made.append(Entered(access))
            return made[-1]

    monkeypatch.setattr(pool, "connection_pool", Pool)
    return made


@pytest.mark.usefixtures("pooled")
def test_what_the_host_tells_of_the_login() -> None:
    host = cast("Any", entered(admin=ADMIN, bootstrap=ROOT))
    found = entrance(host, KEYS_ONLY, "")
    assert (found.address, found.port, found.groups) == ("198.51.100.7", 22, ("deploy", "sudo"))
    assert (found.current, found.behind_nat) == (host.entered(), False)
    assert host.asked[-1].values == {"user": "deploy"}
    entrance(host, KEYS_ONLY, "alice")
    assert host.asked[-1].values == {"user": "alice"}
    host.looks = "\n2022\n"
    found = entrance(host, KEYS_ONLY, "")
    assert (found.address, found.port, found.groups, found.behind_nat) == ("", 2022, (), True)
    host.looks, host.port = "", 2222
    assert entrance(host, KEYS_ONLY, "").port == 2222


@pytest.mark.usefixtures("pooled")
def test_later_runs_come_in_by_the_first_login_without_a_password_that_no_longer_counts() -> None:
    host = cast("Any", entered(admin=ADMIN, bootstrap=ROOT))
    [(login, connection)] = sole_login(host, effective.canonical(KEYS_ONLY)).access.logins()
    assert (login, connection.user, connection.password) == ("admin", "deploy", None)
    [(_, connection)] = sole_login(host, effective.canonical("PasswordAuthentication yes\n")).access.logins()
    assert connection.password is not None
    assert connection.password.get_secret_value() == "hunter2"


def inputs(settings: str) -> SshdInputs:
    """Inputs with these settings."""
    return SshdInputs(host="web1", admin="deploy", settings=effective.canonical(settings))


def test_nothing_is_changed_before_the_admins_login_is_proved(pooled: list[Entered]) -> None:
    chapter, known = SshdChapter(), KnownState[SshdInputs, SshdFacts]()
    assert chapter.stages(cast("Any", entered()), inputs(KEYS_ONLY), known) == (inputs(KEYS_ONLY),)
    assert [len(host.proved) for host in pooled] == [1]
    with pytest.raises(Failure, match="AllowGroups wheel"):
        chapter.stages(cast("Any", entered()), inputs("AllowGroups wheel\n"), known)


@pytest.mark.usefixtures("pooled")
def test_a_new_port_is_opened_beside_the_old_one_first() -> None:
    chapter, known = SshdChapter(), KnownState[SshdInputs, SshdFacts]()
    host = cast("Any", entered(admin={**ADMIN, "port": 2222}))
    host.port = 22
    first, last = chapter.stages(host, inputs("Port 2222\n"), known)
    assert effective.ports(first.settings) == (22, 2222)
    assert last == inputs("Port 2222\n")
    assert len(chapter.stages(host, inputs("Port 2222\nPort 22\n"), known)) == 1
    stays = inputs(f"Port 2222\nPort 2200\n{KEYS_ONLY}")
    assert effective.ports(listening_on(stays, {22}).settings) == (22,)
    assert "PasswordAuthentication no" in listening_on(stays, {22}).settings


@pytest.mark.usefixtures("pooled")
def test_after_the_change_the_login_of_later_runs_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    chapter = SshdChapter()
    host = cast("Any", entered(admin={**ADMIN, "port": 2222}))
    sole = replace(host, proved=[], refuses=True)
    monkeypatch.setattr("components.sshd.chapter.sole_login", lambda *_given: sole)
    host.port = 22
    with pytest.raises(Unreachable) as told:
        chapter.prove_login(host, inputs("Port 2222\n"), 9)
    assert told.value.hint == "Does the firewall accept port 2222? It must do so before sshd moves there."
    assert (sole.proved, host.proved) == ([{"patience": 9}], [])
    host.port = 2222
    with pytest.raises(Unreachable) as told:
        chapter.prove_login(host, inputs("Port 2222\n"), 9)
    assert told.value.hint == ""
    chapter.prove_login(host, inputs("Port 2222\n"), 9, restoring=True)
    assert host.proved == [{"patience": 9, "login": "any"}]


def restoring(host: Entered, ports: tuple[int, ...]) -> Entered:
    """Return the host by which the prior settings, with these ports, are restored."""
    facts = SshdFacts(wanted="", admin="", root="", ports=ports)
    known = KnownState[SshdInputs, SshdFacts](prior=facts)
    return cast("Entered", SshdChapter().host_for_restore(cast("Any", host), inputs("Port 2222\n"), known))


@pytest.mark.usefixtures("pooled")
def test_before_sshd_goes_back_to_another_port_somebody_gets_in_there() -> None:
    host = entered(admin={**ADMIN, "port": 2222}, bootstrap={**ROOT, "port": 23})
    host.port, host.looks = 2222, "198.51.100.7\n2222\n"
    assert restoring(host, (22, 23)) is host
    assert [(one["login"], one["port"]) for one in host.proved] == [("admin", 23)]
    [both] = [script for script in host.asked if "ports" in script.values and script.step == "change the settings"]
    assert both.values["ports"] == "23 2222"
    assert any(script.step == "keep the change" for script in host.asked)


@pytest.mark.usefixtures("pooled")
def test_where_nobody_gets_in_at_the_port_of_before_nothing_is_restored() -> None:
    host = entered(admin={**ADMIN, "port": 2222})
    host.port, host.looks, host.refuses = 2222, "198.51.100.7\n2222\n", True
    with pytest.raises(Failure, match=r"sshd would go back to port 22, where nobody can log in now.*ports: \[22\]"):
        restoring(host, (22,))
    assert not any(script.step == "keep the change" for script in host.asked)


@pytest.mark.usefixtures("pooled")
@pytest.mark.parametrize(
    ("looks", "ports"), [("198.51.100.7\n22\n", (22,)), ("198.51.100.7\n2222\n", (22, 2222)), ("a\n2222\n", ())]
)
def test_where_the_port_stays_nothing_is_proved_before_restoring(looks: str, ports: tuple[int, ...]) -> None:
    host = entered(admin={**ADMIN, "port": 2222})
    host.port, host.looks = 2222, looks
    assert restoring(host, ports) is host
    assert (host.proved, len(host.asked)) == ([], 1)

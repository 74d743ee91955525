"""What is made of each chapter that a host has or lacks, and of one that cannot be read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from adopt import reading
from adopt.reading import Reading
from adopt.survey import Account, Survey
from components.fail2ban.settings import Fail2BanInputs
from components.failure import Failure
from components.firewall.kept.chapter import KeptInputs
from components.firewall.ruleset.existing import Managed
from components.firewall.ruleset.settings import RulesetInputs
from components.listeners.settings import ListenerFacts, ListenerInputs
from components.packages.settings import PackageFacts
from components.sshd.chapter import SshdChapter
from components.sshd.settings import SshdFacts, SshdInputs
from components.sysctl.settings import SysctlInputs
from components.timesync.settings import TimeSyncInputs
from components.updates.settings import UpdateInputs
from components.users.settings import UserInputs
from hosts.errors import CommandFailed, Unreachable

HOST = "root@203.0.113.7"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvwe4CBNlMXK806cWCxEH5i6FRD1JkOUss4Lg+MrnAF me"
DENY = "*filter\n:INPUT DROP\n-A INPUT -p tcp -m tcp --dport 8443 -j ACCEPT\nCOMMIT\n"
SHELL = "/bin/bash"


class Hosted:
    """A host: the inputs that each chapter finds (by its class's name), what is observed, and what fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: dict[str, Any] = {}
        self.observed: dict[str, Any] = {
            "PackageChapter": PackageFacts(installed={"openssh-server": "1", "fail2ban": "1"}),
            "ListenerChapter": ListenerFacts(),
            "SshdChapter": SshdFacts(),
        }
        self.survey = Survey("web1", "debian 12", "debian", (Account("root", 0, SHELL),), "", ())
        self.asked: list[dict[str, Any]] = []
        monkeypatch.setattr(reading, "survey", lambda _host: self.survey)
        monkeypatch.setattr(reading, "_others", lambda _host, _stack: {}, raising=False)
        monkeypatch.setattr(reading, "_look", self._look)
        monkeypatch.setattr(reading, "_observe", lambda chapter, _host, inputs: self._observe(chapter, inputs))

    def _look(self, chapter: Any, _host: Any, **named: Any) -> Any:
        self.asked.append({"chapter": type(chapter).__name__, **named})
        family = f" {named['family']}" if "family" in named else ""
        name = f" {named['name']}" if "name" in named else ""
        found = self.found.get(f"{type(chapter).__name__}{family}{name}")
        if isinstance(found, Exception):
            raise found
        return found

    def _observe(self, chapter: Any, inputs: Any) -> Any:
        self.asked.append({"chapter": type(chapter).__name__, "inputs": inputs})
        return self.observed[type(chapter).__name__]

    def read(self) -> Reading:
        access = SimpleNamespace(admin=None)
        return reading.read(SimpleNamespace(name=HOST, access=access))  # type: ignore[arg-type]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Hosted:
    return Hosted(monkeypatch)


def test_a_host_without_anything_says_why_each_chapter_is_left_out(host: Hosted) -> None:
    found = host.read()
    assert found.settings == {}
    assert found.left_out == [
        "firewall: no rule filters anything: every listener can be reached",
        "fail2ban: it is not installed",
        "updates: nothing installs updates by itself",
        "timeSync: no time daemon that Stockade knows is running",
    ]


def test_what_a_host_has_becomes_settings_without_defaults(host: Hosted) -> None:
    host.found = {
        "SysctlChapter": SysctlInputs(host=HOST, settings="net.ipv4.tcp_syncookies = 0\n"),
        "Fail2BanChapter": Fail2BanInputs(host=HOST, config="[sshd]\nenabled = true\nmaxretry = 7\n"),
        "UpdateChapter": UpdateInputs(host=HOST, mail="root"),
        "TimeSyncChapter": TimeSyncInputs(host=HOST, daemon="chrony"),
        "ListenerChapter": ListenerInputs(host=HOST, expected=("nginx",)),
    }
    host.observed["ListenerChapter"] = ListenerFacts(listening=("tcp *:443 nginx (package nginx)",))
    found = host.read()
    assert found.settings["sysctl"]["values"]["net.ipv4.tcp_syncookies"] == 0
    assert found.settings["fail2ban"]["maxretry"] == 7
    assert found.settings["updates"] == {"mail": "root"}
    assert found.settings["timeSync"] == {"daemon": "chrony"}
    assert found.settings["listeners"] == {"expected": ["nginx"]}
    assert found.listening == ("tcp *:443 nginx (package nginx)",)
    assert found.remarks["listeners"] == ["tcp *:443 nginx (package nginx)"]


def test_who_logs_in_or_uses_sudo_becomes_a_user(host: Hosted) -> None:
    names = ("root", "ann", "ben", "carl", "dora", "www-data")
    shells = {"carl": "/usr/sbin/nologin"}
    accounts = tuple(Account(name, 1000, shells.get(name, SHELL)) for name in names)
    host.survey = Survey("web1", "debian 12", "debian", accounts, "", ())
    users = {
        "ann": {"sudo": "nopasswd", "keys": [KEY]},
        "ben": {"sudo": "none", "keys": []},
        "carl": {"sudo": "none", "keys": [KEY]},
        "www-data": {"sudo": "none", "keys": [KEY]},
        "root": {"sudo": "none", "keys": [KEY]},
    }
    host.found = {
        f"UserChapter {name}": UserInputs.model_validate({"host": HOST, "name": name, **more})
        for name, more in users.items()
    }
    host.found["UserChapter dora"] = Failure(f"{HOST}: user dora: its home is missing")
    found = host.read()
    assert [user["name"] for user in found.settings["users"]] == ["ann"]
    assert found.settings["users"][0]["keys"] == [KEY]
    assert found.left_out[0] == "user dora: its home is missing"
    assert not [one for one in host.asked if one.get("name") in ("root", "www-data")]


def test_rules_are_written_unless_another_program_manages_them(host: Hosted) -> None:
    rules = {
        family: RulesetInputs.model_validate({"host": HOST, "family": family, "rules": DENY}) for family in ("ipv4",)
    }
    host.found = {f"RulesetChapter {family}": inputs for family, inputs in rules.items()}
    host.survey = Survey("web1", "debian 12", "debian", (), "", (), ("f2b-sshd", "mine"))
    found = host.read()
    assert "8443" in found.settings["firewall"]["ipv4"]["rules"]
    assert "Left to the programs that fill them: f2b-sshd" in found.remarks["firewall"]
    assert [line for line in found.remarks["firewall"] if line.startswith("ipv4: ") and "8443" in line] != []
    host.found["KeptChapter"] = KeptInputs(host=HOST, program="ufw")
    found = host.read()
    assert found.settings["firewall"] == {"keep": "ufw"}
    assert found.remarks["firewall"] == ["ufw manages the rules; Stockade watches them"]


def test_rules_that_a_program_keeps_changing_are_left_out(host: Hosted) -> None:
    host.found["RulesetChapter ipv4"] = Managed(f"{HOST}: firewall ipv4", HOST, "kube-proxy writes them")
    assert "firewall: kube-proxy writes them; what it lets in stays as it is" in host.read().left_out


def test_open_rules_are_no_firewall(host: Hosted) -> None:
    inputs = RulesetInputs.model_validate({"host": HOST, "family": "ipv4", "rules": "*filter\n:INPUT ACCEPT\nCOMMIT\n"})
    host.found["RulesetChapter ipv4"] = inputs
    found = host.read()
    assert "firewall" not in found.settings
    assert any(line.startswith("firewall: no rule filters anything") for line in found.left_out)


def test_rules_that_are_not_loaded_at_boot_and_tables_beside_them_stay_so(host: Hosted) -> None:
    more = {"persistent": False, "beside": ["inet blocklist"]}
    inputs = RulesetInputs.model_validate({"host": HOST, "family": "ipv4", "rules": DENY, **more})
    host.found["RulesetChapter ipv4"] = inputs
    firewall = host.read().settings["firewall"]
    assert (firewall["persistent"], firewall["beside"]) == (False, ["inet blocklist"])


def test_sshd_is_declared_only_if_it_is_the_same_for_every_login(host: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    host.survey = Survey("web1", "debian 12", "debian", (), "PermitRootLogin yes\n", ("Match User bob",))
    host.found["SshdChapter"] = SshdInputs(host=HOST, settings="PermitRootLogin yes\nPasswordAuthentication no\n")
    for same in (True, False):
        monkeypatch.setattr(SshdChapter, "in_force", lambda _self, _inputs, _seen, same=same: same)
        monkeypatch.setattr(SshdChapter, "differences", lambda *_: "differs for bob")
        found = host.read()
        assert ("sshd" in found.settings) is same
        assert ("sshd: not the same for every login: differs for bob" in found.left_out) is not same
    monkeypatch.undo()
    (asked,) = [one for one in host.asked if one["chapter"] == "SshdChapter" and "settings" in one][:1]
    assert asked["settings"] == "PermitRootLogin yes\n"


def test_match_blocks_are_named(host: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    host.survey = Survey("web1", "debian 12", "debian", (), "", ("Match User bob",))
    host.found["SshdChapter"] = SshdInputs(host=HOST, settings="PermitRootLogin yes\nPasswordAuthentication no\n")
    monkeypatch.setattr(SshdChapter, "in_force", lambda *_: True)
    found = host.read()
    assert found.settings["sshd"] == {"permitRootLogin": "yes"}
    assert found.remarks["sshd"] == ["Match blocks stay as they are:", "Match User bob"]


def test_what_chapters_would_install_is_not_installed(host: Hosted) -> None:
    host.found["Fail2BanChapter"] = Fail2BanInputs(host=HOST, config="[sshd]\nenabled = true\n")
    host.found["TimeSyncChapter"] = TimeSyncInputs(host=HOST, daemon="chrony")
    host.observed["PackageChapter"] = PackageFacts(installed={"fail2ban": "1", "rpcbind": "1", "ntp": "1"})
    found = host.read()
    assert "chrony" in found.settings["packages"]["without"]
    assert "fail2ban" not in found.settings["packages"]["without"]
    assert "timeSync" not in found.settings
    assert any(line.startswith("timeSync: more than one time daemon is installed: ntp") for line in found.left_out)
    assert found.unwanted == ("rpcbind",)
    assert found.remarks["packages"] == ["installed, and of a kind that the guide removes: rpcbind"]


def test_a_chapter_that_cannot_be_read_stops_no_other(host: Hosted) -> None:
    host.found = {
        "SysctlChapter": CommandFailed("no such file", host=HOST),
        "UpdateChapter": ValueError("its mail\n  address is odd"),
        "TimeSyncChapter": Failure(f"{HOST}: time sync: cannot be imported: it is masked"),
        "Fail2BanChapter": Fail2BanInputs(host=HOST, config="[sshd]\nenabled = true\n"),
    }
    found = host.read()
    assert "fail2ban" in found.settings
    assert "updates: its mail address is odd" in found.left_out
    assert any(line.startswith("sysctl: ") and "no such file" in line and HOST not in line for line in found.left_out)
    assert any(line.startswith("timeSync: ") and line.endswith("it is masked") for line in found.left_out)


def test_a_host_that_is_gone_ends_the_reading(host: Hosted) -> None:
    gone = Unreachable(cause="no answer", host=HOST)
    gone.not_reached = True
    host.found["SysctlChapter"] = gone
    with pytest.raises(Unreachable):
        host.read()

"""What hardening changes in the settings of a host, and what it says about it."""

from typing import Any

import pytest

from adopt.harden import Operator, hardened
from adopt.reading import Reading
from adopt.survey import Survey
from adopt.written import Adopted
from components.firewall.settings import FirewallSettings
from components.registry import Hardening
from components.sshd.settings import SshdInputs, SshdSettings
from hosts.ssh.connection import Connection
from rules.analysis.reachability import analyse
from rules.language.parse import parse
from rules.values.family import Family

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvwe4CBNlMXK806cWCxEH5i6FRD1JkOUss4Lg+MrnAF me"
OPEN = {"permitRootLogin": "yes", "passwordAuthentication": True, "settings": {"KbdInteractiveAuthentication": False}}
LIMITS = {"maxAuthTries": 3, "loginGraceTime": 60, "x11Forwarding": False, "agentForwarding": False}
LISTENING = (
    "tcp 0.0.0.0:22 sshd (package openssh-server)",
    "tcp *:443 nginx (package nginx)",
    "udp 0.0.0.0:68 dhclient (package isc-dhcp-client)",
    "udp [::]:53 named (package bind9)",
)


def harden(
    login: str = "root",
    operator: Operator | None = None,
    openssh: str = "",
    host_key: str = "ssh-ed25519 AAAA",
    **settings: Any,
) -> Adopted:
    survey = Survey("web1", "debian 12", "debian", (), "", ())
    lacking = {"firewall", "fail2ban", "updates"} - settings.keys()
    settings = {"sysctl": {}, "sshd": {}, **settings}
    seen: dict[str, Any] = {"listening": LISTENING, "unwanted": ("rpcbind", "postfix"), "openssh": openssh}
    reading = Reading(survey, settings, lacking=lacking, **seen)
    one = Adopted("web1", Connection(host="203.0.113.7", user=login), host_key, reading)
    found = hardened(one, operator or Operator((KEY,), "~/.ssh/id"))
    Hardening.model_validate(found.reading.settings)
    assert reading.settings == settings, "what was read stays as it is"
    return found


def test_what_listens_stays_reachable_and_nothing_else() -> None:
    settings = harden(sshd=OPEN).reading.settings["firewall"]
    assert settings["preset"] == "ssh"
    assert settings["services"] == [
        {"name": "nginx", "ports": [443]},
        {"name": "named", "ports": [53], "protocol": "udp"},
    ]
    made = FirewallSettings.model_validate(settings)
    assert all(analyse(parse(made.ruleset(family), family)).default_deny() for family in Family)


def test_rules_that_deny_already_stay_and_open_ports_without_a_listener_are_named() -> None:
    there = {"preset": "ssh", "services": [{"ports": [8080]}, {"ports": [443]}]}
    reading = harden(firewall=there).reading
    assert reading.settings["firewall"] == there
    assert reading.remarks["firewall"] == [
        "tcp 8080 is open, and nobody listens there: remove it if it is not needed",
        "udp 53 (named) listens, and nobody can reach it: end it, or let it listen on the loopback alone",
    ]


def test_a_firewall_of_another_program_stays() -> None:
    assert harden(firewall={"keep": "ufw"}).reading.settings["firewall"] == {"keep": "ufw"}


def test_root_logs_in_no_more_once_another_user_can() -> None:
    found = harden(sshd=OPEN)
    assert found.admin is not None
    assert found.admin.user == "deploy"
    new = {"name": "deploy", "sudo": "nopasswd", "keys": [KEY], "removeHome": True}
    assert found.reading.settings["users"] == [new]
    assert found.reading.settings["sshd"] == LIMITS


def test_an_admin_who_is_there_already_is_used() -> None:
    users = [{"name": "alice", "sudo": "nopasswd", "keys": [KEY]}]
    found = harden(users=users, sshd=OPEN)
    assert found.admin is not None
    assert found.admin.user == "alice"
    assert found.reading.settings["users"] == users


@pytest.mark.parametrize("users", [[], [{"name": "deploy", "sudo": "none", "keys": [KEY]}]])
def test_without_an_admin_root_keeps_its_key(users: list[dict[str, Any]]) -> None:
    found = harden(operator=Operator((KEY,) if users else ()), users=users, sshd={**OPEN})
    assert found.admin is None
    assert any("TODO" in line for line in found.reading.remarks["users"])
    assert any("TODO" in line for line in found.reading.remarks["sshd"])


@pytest.mark.parametrize(
    ("openssh", "host_key", "words"),
    [
        ("OpenSSH_6.7p1 Debian-5", "ssh-ed25519 AAAA", "needs OpenSSH 7.2"),
        ("", "ssh-ed25519 AAAA", "needs OpenSSH 7.2"),
        ("OpenSSH_9.2p1 Debian-2", "ecdsa-sha2-nistp256 AAAA", "as soon as hostKey pins the ed25519 key"),
    ],
)
def test_algorithms_stay_where_modern_ones_would_not_do(openssh: str, host_key: str, words: str) -> None:
    reading = harden(openssh=openssh, host_key=host_key).reading
    assert "algorithms" not in reading.settings["sshd"]
    assert any(words in line for line in reading.remarks["sshd"])


def test_algorithms_are_modern_unless_the_host_has_chosen_its_own() -> None:
    assert harden(openssh="OpenSSH_9.2p1 Debian-2").reading.settings["sshd"] == {"algorithms": "modern", **LIMITS}
    own = {"maxAuthTries": 6, "settings": {"Ciphers": "aes256-ctr", "X11Forwarding": True}}
    there = harden(openssh="OpenSSH_9.2p1 Debian-2", sshd=own).reading.settings["sshd"]
    assert there == {**own, "loginGraceTime": 60, "agentForwarding": False}


@pytest.mark.parametrize("allowed", ["root", ["root", "bob"]])
def test_a_new_admin_is_let_in_where_sshd_lets_in_only_some(allowed: str | list[str]) -> None:
    text = SshdSettings.model_validate({**OPEN, "settings": {"AllowUsers": allowed, "AllowGroups": "staff"}}).text()
    read = SshdSettings.of(SshdInputs(host="web1", settings=text))
    found = harden(sshd=read.model_dump(by_alias=True, mode="json", exclude_defaults=True)).reading.settings
    names = [allowed] if isinstance(allowed, str) else allowed
    assert sorted(found["sshd"]["allowUsers"]) == sorted([*names, "deploy"])
    assert [user["groups"] for user in found["users"]] == [["staff"]]


def test_passwords_stay_for_a_user_without_a_key() -> None:
    found = harden(users=[{"name": "carol", "sudo": "none"}], sshd=OPEN)
    assert found.reading.settings["sshd"]["passwordAuthentication"] is True
    assert any("carol has no key" in line for line in found.reading.remarks["sshd"])


def test_what_is_missing_is_added_and_what_is_unwanted_goes() -> None:
    settings = harden(packages={"without": ["fail2ban"]}, updates={"enabled": False}, fail2ban={"maxretry": 9})
    found = settings.reading.settings
    assert found["updates"] == {}
    assert found["fail2ban"] == {"maxretry": 9}
    assert found["packages"] == {"absent": ["exim4-daemon-light", "postfix", "rpcbind"]}
    assert found["sysctl"] == {}

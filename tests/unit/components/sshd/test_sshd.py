"""sshd's settings as lines, and the decisions based on `sshd -T`."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.core.chapter import KnownState
from components.sshd import effective
from components.sshd.chapter import SshdChapter
from components.sshd.settings import SshdFacts, SshdInputs, SshdSettings
from hosts.shell import Answer

GUIDE = "KbdInteractiveAuthentication no\nPasswordAuthentication no\nPermitRootLogin no\n"
TOLD = "kbdinteractiveauthentication no\npasswordauthentication no\npermitrootlogin no\n"
WHOLE = f"""\
port 2222
port 22
listenaddress [::]:2222
listenaddress 0.0.0.0:22
{TOLD}passwordauthenticationx no
banner none
"""
"""An excerpt of the output of `sshd -T`."""


def text(**settings: Any) -> str:
    return SshdSettings.model_validate(settings).text()


def inputs(settings: str = GUIDE, **more: Any) -> SshdInputs:
    return SshdInputs(host="web1", settings=settings, **more)


def test_the_default_is_the_guide_and_what_it_takes_to_mean_it() -> None:
    assert text() == GUIDE
    assert text(passwordAuthentication=True) == "PasswordAuthentication yes\nPermitRootLogin no\n"
    assert "PermitRootLogin prohibit-password\n" in text(permitRootLogin="prohibit-password")
    assert text(permitRootLogin=False) == GUIDE  # YAML reads a bare `no` as false
    assert "PermitRootLogin yes\n" in text(permitRootLogin=True)


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ({"MaxAuthTries": 3}, ["MaxAuthTries 3"]),
        ({"X11Forwarding": False, "Banner": None}, ["X11Forwarding no"]),
        ({"AllowUsers": ["ann", "bob@192.0.2.0/24"]}, ["AllowUsers ann", "AllowUsers bob@192.0.2.0/24"]),
        ({"AllowUsers": "ann bob"}, ["AllowUsers ann", "AllowUsers bob"]),
        ({"Ciphers": ["aes256-ctr", "aes128-ctr"]}, ["Ciphers aes256-ctr,aes128-ctr"]),
        ({"AuthenticationMethods": ["publickey", "hostbased"]}, ["AuthenticationMethods publickey hostbased"]),
        ({"Port": [22, 2222]}, ["Port 22", "Port 2222"]),
        ({"Subsystem": "sftp   internal-sftp"}, ["Subsystem sftp   internal-sftp"]),
    ],
)  # fmt: skip
def test_values_of_every_kind_become_lines(value: Mapping[str, Any], lines: list[str]) -> None:
    assert [line for line in text(settings=value).splitlines() if line not in GUIDE.splitlines()] == lines


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"PermitRootLogin": "no"}, "PermitRootLogin has its own setting: permitRootLogin"),
        ({"Match": "User root"}, "Match is not allowed here"),
        ({"Include": "/tmp/x"}, "Include is not allowed here"),
        ({"Port": 70000}, "a port from 1 to 65535"),
        ({"ListenAddress": "192.0.2.1:2222"}, "give only the address"),
        ({"ListenAddress": "[2001:db8::1]:22"}, "give only the address"),
        ({"MaxAuthTries": "3\nPermitRootLogin yes"}, "given twice"),
        ({"Max Auth": 3, "bad-key": 1}, "not a setting of sshd"),
        ({"MaxAuthTries": 3, "maxauthtries": 4}, "given twice"),
        ({"Banner": ""}, "not a setting of sshd"),
    ],
)
def test_what_sshd_config_cannot_hold_is_refused(settings: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        SshdSettings.model_validate({"settings": settings})


def test_passwords_do_not_come_back_through_pam() -> None:
    back = "PasswordAuthentication no\nKbdInteractiveAuthentication yes\n"
    with pytest.raises(ValidationError, match="allows passwords through PAM"):
        inputs(back)
    with pytest.raises(ValidationError, match="allows passwords through PAM"):
        inputs(back + "AuthenticationMethods publickey keyboard-interactive\n")
    inputs(back + "AuthenticationMethods publickey,keyboard-interactive\n")
    assert "KbdInteractiveAuthentication yes" in inputs("ChallengeResponseAuthentication yes\n").settings


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("AllowUsers root\n", "AllowUsers root leaves out deploy"),
        ("AllowUsers root dep*\n", ""),
        ("AllowUsers deploy@192.0.2.*\n", ""),
        ("DenyUsers d?ploy\n", "DenyUsers d?ploy denies deploy"),
        ("DenyUsers deploy@192.0.2.1\n", ""),
        ("DenyUsers [d]eploy\nAllowGroups nobody\n", ""),
    ],
)
def test_a_preview_tells_that_the_admin_would_be_left_out(settings: str, reason: str) -> None:
    if not reason:
        assert inputs(settings, admin="deploy").settings
        return
    with pytest.raises(ValidationError, match=re.escape(reason)) as error:
        inputs(settings, admin="deploy")
    assert error.value.errors()[0]["loc"] == ("settings",)


@pytest.mark.parametrize(
    ("settings", "shut_out"),
    [
        ("AllowUsers deploy@192.0.2.0/24", False),
        ("AllowUsers deploy@198.51.100.0/24", True),
        ("AllowUsers deploy@192.0.*", False),
        ("DenyUsers *@192.0.2.7", True),
        ("AllowGroups wheel sudo", False),
        ("AllowGroups wheel", True),
        ("DenyGroups sud?", True),
        ("AllowUsers deploy\nDenyGroups deploy", True),
    ],
)
def test_on_the_host_groups_and_address_count(settings: str, shut_out: bool) -> None:
    lines = effective.canonical(settings)
    assert bool(effective.shuts_out(lines, "deploy", ("deploy", "sudo"), "192.0.2.7")) is shut_out


def test_root_cannot_be_the_admin_that_forbids_root() -> None:
    with pytest.raises(ValidationError, match="an admin login other than root"):
        inputs(admin="root")


def test_what_is_written_says_it_for_every_openssh_and_every_match_block() -> None:
    lines = text(settings={"Port": 2222, "AllowUsers": ["deploy"], "MaxAuthTries": 3})
    assert "ChallengeResponseAuthentication no\n" in effective.written(lines)
    block = effective.match_all(lines).splitlines()
    assert block[0] == "Match all"
    assert {line.split()[0] for line in block[1:]} == {
        "KbdInteractiveAuthentication", "MaxAuthTries", "PasswordAuthentication", "PermitRootLogin"
    }  # fmt: skip
    assert effective.match_all("Port 22\n") == ""


def test_only_lines_that_would_add_up_are_silenced() -> None:
    silent = effective.silenced(text(settings={"Port": 2222, "Subsystem": "sftp internal-sftp", "MaxAuthTries": 3}))
    found = re.compile(silent.replace("[:space:]", r"\s"), re.I)
    for line in ("Port 22", "  port=22", "Subsystem sftp /usr/lib/sftp-server", '"Port" 22'):
        assert found.search(line), line
    for line in ("MaxAuthTries 6", "# Port 22", "Subsystem other /bin/x", "PortKnock 1", "AllowUsers ann"):
        assert not found.search(line), line
    assert effective.silenced(GUIDE) == ""


NAMES = st.sampled_from(["MaxAuthTries", "X11Forwarding", "AllowUsers", "LogLevel", "Port", "Banner"])
WORDS = st.text("abcXYZ019./-", min_size=1, max_size=8)


@given(st.dictionaries(NAMES, WORDS | st.booleans() | st.lists(WORDS, min_size=1, max_size=3), max_size=5))
def test_canonical_text_is_a_fixed_point(settings: dict[str, Any]) -> None:
    settings["Port"] = 22
    once = effective.from_settings(settings)
    assert effective.canonical(once) == once
    assert effective.canonical("# note\n\n" + once.replace("\n", "  \n").replace(" ", "\t", 1)) == once


def facts(**changes: Any) -> SshdFacts:
    return SshdFacts(**{"wanted": TOLD, "admin": TOLD, "root": TOLD, "ports": (22,), "ours": True, **changes})


def shown(given_: SshdInputs, seen: SshdFacts) -> str:
    return SshdChapter().as_observed(given_, KnownState(given_, facts(), facts(), facts()), seen).settings


def test_drift_is_shown_as_the_lines_that_the_host_follows() -> None:
    assert shown(inputs(), facts()) == GUIDE
    passwords = TOLD.replace("passwordauthentication no", "passwordauthentication yes")
    expected = GUIDE.replace("PasswordAuthentication no", "PasswordAuthentication yes")
    assert shown(inputs(), facts(admin=passwords)) == expected
    assert shown(inputs(), facts(root=passwords)) == expected
    assert SshdChapter().differences(inputs(), facts(root=passwords)) == "passwordauthentication for root"
    assert SshdChapter().differences(inputs(), facts()) == ""


def test_users_added_and_taken_away_by_hand_are_lines_of_their_own() -> None:
    declared = inputs("AllowUsers ann\nAllowUsers bob\n")
    wanted = "allowusers ann\nallowusers bob\n"
    seen = facts(wanted=wanted, root=wanted, admin="allowusers ann\nallowusers eve\nallowusers bob\n")
    assert shown(declared, seen) == "AllowUsers ann\nAllowUsers eve\nAllowUsers bob\n"
    assert shown(declared, facts(wanted=wanted, root=wanted, admin="")) == ""


def test_a_port_counts_where_something_listens() -> None:
    declared = inputs("Port 2222\n")
    seen = facts(wanted="port 2222\n", admin="port 2222\n", root="port 2222\n", ports=(22, 2222))
    assert SshdChapter().differences(declared, seen) == "Port: sshd listens on 22, 2222"
    assert shown(declared, seen) == "Port 22\nPort 2222\n"
    assert shown(declared, seen.model_copy(update={"ports": (2222,)})) == "Port 2222\n"


def test_what_sshd_tells_is_read_for_each_login_and_for_the_socket_unit_that_listens() -> None:
    declared = inputs("ListenAddress 0.0.0.0\nPermitRootLogin no\nPort 22\n")
    sections = {"wanted": "", "root": WHOLE, "version": "", "ours": ""}
    admin = WHOLE.replace("rootlogin no", "rootlogin yes")
    socket = "Listen=0.0.0.0:2200 (Stream)\nListen=[::]:2200 (Stream)\nListen=/run/x (Stream)\n"
    seen = SshdChapter().parse(declared, Answer("", "", 0, {**sections, "admin": admin, "listener": socket}))
    addresses = "listenaddress 0.0.0.0\nlistenaddress [::]\n"
    assert seen.root == f"{addresses}permitrootlogin no\nport 22\nport 2222\n"
    assert seen.admin == f"{addresses}permitrootlogin yes\nport 22\nport 2222\n"
    assert seen.ports == (2200,)


def test_keywords_that_sshd_does_not_tell_are_looked_for_in_our_file() -> None:
    declared = inputs(GUIDE + "DebianBanner no\n")
    sections = {"wanted": TOLD, "root": WHOLE, "version": "OpenSSH_9.2p1 X, OpenSSL 3\nusage: sshd\n"}
    there = SshdChapter().parse(declared, Answer("", "", 0, {**sections, "ours": "# Written\nDebianBanner no\n"}))
    assert (there.unwritten, there.ports, there.version) == ((), (22, 2222), "OpenSSH_9.2p1 X")
    assert (there.root, there.admin, there.wanted) == (TOLD, TOLD, TOLD)
    gone = SshdChapter().parse(declared, Answer("", "", 0, {**sections, "ours": ""}))
    assert gone.unwritten == ("DebianBanner no",)
    assert shown(declared, gone) == GUIDE
    assert SshdChapter().already_configured(declared, gone) == ""
    assert SshdChapter().already_configured(declared, there) != ""

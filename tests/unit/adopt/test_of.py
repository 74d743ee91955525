"""Settings that are made of a resource's inputs declare the same inputs again."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.fail2ban.jails import seconds
from components.fail2ban.settings import LOOPBACK, NUMBERS, Fail2BanInputs, Fail2BanSettings
from components.listeners.settings import ListenerInputs, ListenerSettings
from components.sshd.settings import SshdInputs, SshdSettings
from components.sysctl.settings import SysctlInputs, SysctlSettings
from components.timesync.settings import TimeSyncInputs, TimeSyncSettings
from components.updates.settings import UpdateInputs, UpdateSettings
from components.users.settings import UserInputs, UserSettings

HOST = "web1"
_WORDS = st.from_regex(r"[a-z][a-z0-9]{0,7}", fullmatch=True)


@given(
    st.sampled_from(["no", "yes", "prohibit-password", "forced-commands-only"]),
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional={
            "KbdInteractiveAuthentication": st.booleans(),
            "MaxAuthTries": st.integers(0, 9),
            "LoginGraceTime": st.sampled_from([0, 30, "2m"]),
            "X11Forwarding": st.booleans(),
            "Ciphers": st.sampled_from(["modern", "aes256-ctr"]),
            "AllowUsers": st.lists(_WORDS, min_size=1, max_size=3, unique=True),
            "Port": st.lists(st.integers(1, 65535), min_size=1, max_size=3, unique=True),
            "Banner": st.just("/etc/issue.net"),
            "Subsystem sftp": st.just("internal-sftp -f AUTH"),
            "ClientAliveInterval": st.sampled_from([0, "5m"]),
        },
    ),
)
def test_sshd(root: str, passwords: bool, settings: dict[str, Any]) -> None:
    made = SshdSettings.model_validate(
        {"permitRootLogin": root, "passwordAuthentication": passwords, "settings": settings}
    )
    try:
        inputs = SshdInputs.model_validate(made.props(HOST))
    except ValidationError:
        assume(False)
    assert SshdInputs.model_validate(SshdSettings.of(inputs).props(HOST)) == inputs


def test_sshd_prints_an_old_word_for_keys_alone() -> None:
    printed = "PasswordAuthentication yes\nPermitRootLogin without-password\n"
    assert SshdSettings.of(SshdInputs(host=HOST, settings=printed)).permit_root_login == "prohibit-password"


@given(
    st.dictionaries(
        st.sampled_from(
            ["net.ipv4.conf.all.rp_filter", "net.ipv4.tcp_syncookies", "kernel.panic", "net.ipv4.conf.eth0/7.rp_filter"]
        ),
        st.one_of(st.integers(0, 9), st.none()),
    )
)
def test_sysctl(values: dict[str, int | None]) -> None:
    made = SysctlSettings.model_validate({"values": values})
    inputs = SysctlInputs(host=HOST, settings=made.text())
    assert SysctlSettings.of(inputs).text() == made.text()


@given(
    st.lists(st.sampled_from(["origin=Debian", "site=packages.example.org"]), min_size=1, unique=True),
    st.sampled_from([None, "04:00", "now"]),
    st.sampled_from([None, "root", "a@example.org"]),
    st.booleans(),
)
def test_updates(origins: list[str], reboot: str | None, mail: str | None, enabled: bool) -> None:
    values = {"origins": origins, "rebootTime": reboot, "mail": mail} if enabled else {"enabled": False}
    inputs = UpdateInputs.model_validate({"host": HOST, **UpdateSettings.model_validate(values).props()})
    assert UpdateInputs.model_validate({"host": HOST, **UpdateSettings.of(inputs).props()}) == inputs


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"origins": ("all",)}, "all updates"),
        ({"origins": ()}, "no source"),
        ({"reboot_time": "+5"}, r"\+5 minutes"),
        ({"mail": "| id"}, "mail address"),
    ],
)
def test_updates_that_no_setting_can_say(values: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        UpdateSettings.of(UpdateInputs(host=HOST, **values))


@given(st.sampled_from(["chrony", "openntpd", "systemd-timesyncd"]))
def test_time_sync(daemon: str) -> None:
    made = TimeSyncSettings.model_validate({"daemon": daemon})
    assert TimeSyncSettings.of(TimeSyncInputs(host=HOST, daemon=made.daemon)) == made


@given(
    st.lists(st.sampled_from(["nginx", "mysqld:3306/tcp", ":53/udp", "/opt/app/run:80"]), unique=True), st.booleans()
)
def test_listeners(expected: list[str], loopback: bool) -> None:
    made = ListenerSettings.model_validate({"expected": sorted(expected), "loopback": loopback})
    inputs = ListenerInputs.model_validate({"host": HOST, **made.props()})
    assert ListenerSettings.of(inputs).props() == made.props()


@given(
    st.dictionaries(
        st.sampled_from(["sshd", "ssh", "web"]),
        st.fixed_dictionaries(
            {"maxretry": st.integers(1, 9), "findtime": st.integers(1, 99999), "bantime": st.integers(-1, 99999)},
            optional={"ignoreip": st.sampled_from(["192.0.2.0/24", "127.0.0.1/8 ::1 192.0.2.1"])},
        ),
        min_size=1,
    )
)
def test_fail2ban(jails: dict[str, dict[str, Any]]) -> None:
    assume(all(values["bantime"] for values in jails.values()))
    config = "".join(
        f"[{name}]\nenabled = true\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
        for name, values in jails.items()
    )
    found = Fail2BanInputs(host=HOST, config=config)
    again = Fail2BanInputs(host=HOST, config=Fail2BanSettings.of(found).text())
    assert again.jails.keys() == jails.keys()
    for name, values in jails.items():
        for key in NUMBERS:
            assert seconds(again.jails[name].value(key)) == seconds(str(values[key]))
        kept = {*values.get("ignoreip", "").split()} - {*LOOPBACK}
        assert kept <= {*again.jails[name].value("ignoreip").split()}


@given(
    st.sampled_from(["none", "password", "nopasswd"]),
    st.lists(st.sampled_from(["adm", "docker", "www-data"]), unique=True),
)
def test_users(sudo: str, groups: list[str]) -> None:
    inputs = UserInputs.model_validate({"host": HOST, "name": "alice", "sudo": sudo, "groups": groups})
    again = UserInputs.model_validate({"host": HOST, **UserSettings.of(inputs).props()})
    assert again == inputs


def test_users_with_some_rights_of_sudo_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="neither all nor none"):
        UserSettings.of(UserInputs.model_validate({"host": HOST, "name": "alice"}).model_copy(update={"sudo": "other"}))

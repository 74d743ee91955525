"""Update settings, apt's answers, upgrades and gai.conf."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.core.chapter import KnownState
from components.gai.settings import prefers_ipv4, with_ipv4_first, without_ipv4_first
from components.updates.chapter import UpdateChapter
from components.updates.dnf import DnfAutomatic, dnf_text, parse, sysconfig_text, yum_text
from components.updates.settings import SECURITY, WITHOUT_CODENAME, UpdateFacts, UpdateInputs, UpdateSettings
from hosts.shell import Answer

ON = UpdateFacts(periodic=("1", "1", "1"), origins=SECURITY, timers=("enabled active",) * 2, installed=True)


def inputs(**values: Any) -> UpdateInputs:
    return UpdateInputs.model_validate({"host": "web1", **UpdateSettings.model_validate(values).props()})


def test_security_sources_alone_by_default_and_nothing_of_other_files() -> None:
    text = inputs().text()
    quoted = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert quoted == [f'"{origin}";' for origin in SECURITY]
    assert all("ecurity" in origin for origin in SECURITY)
    assert text.index("#clear Unattended-Upgrade::Origins-Pattern;") < text.index("Origins-Pattern {")
    assert 'Automatic-Reboot "false"' in text


def test_turned_off_it_says_only_that() -> None:
    assert [line for line in inputs(enabled=False).text().splitlines() if not line.startswith("//")] == [
        'APT::Periodic::Unattended-Upgrade "0";'
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rebootTime": "25:00"}, "neither a time of day"),
        ({"mail": 'a"; x'}, "neither a mail address"),
        ({"origins": ["Debian"]}, "does not name a source"),
        ({"origins": ['origin=D";evil "1']}, "does not name a source"),
        ({"origins": []}, "at least 1"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        UpdateSettings.model_validate(values)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({}, {}),
        ({"timers": ("enabled active", "enabled inactive")}, {"enabled": False}),
        ({"timers": ("masked inactive", "enabled active")}, {"enabled": False}),
        ({"periodic": ("0", "1", "1")}, {"enabled": False}),
        ({"periodic": ("", "1", "0")}, {"enabled": False}),
        ({"installed": False}, {"enabled": False}),
        ({"origins": ("origin=Debian",)}, {"origins": ("origin=Debian",)}),
        ({"reboot": True, "reboot_time": "03:00"}, {"reboot_time": "03:00"}),
        ({"mail": "root"}, {}),  # not declared, so not managed
    ],
)
def test_drift_is_what_apt_and_the_timers_do(change: dict[str, Any], shown: dict[str, Any]) -> None:
    wanted, seen = inputs(), ON.model_copy(update=change)
    expected = wanted.model_copy(update=shown)
    assert UpdateChapter().as_observed(wanted, KnownState(), seen) == expected
    assert bool(UpdateChapter().differences(wanted, seen)) is bool(shown)


def test_all_files_count_whatever_their_spelling() -> None:
    config = (
        'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n'
        'Unattended-Upgrade::Allowed-Origins:: "Debian:stable";\nUnattended-Upgrade::Origins-Pattern:: "origin=X";\n'
        'Unattended-Upgrade::automatic-reboot "false";\nUnattended-Upgrade::Automatic-Reboot "true";\n'
    )
    timers = "apt-daily.timer enabled active\napt-daily-upgrade.timer enabled active\n"
    parts = {
        "dropin.meta": "absent\n/x\n",
        "updater": "unattended-upgrades\n",
        "config": config,
        "timers": timers,
        "program": "/usr/bin/unattended-upgrade",
    }
    seen = UpdateChapter().parse(inputs(), Answer("", "", 0, parts))
    assert seen.origins == ("Debian:stable", "origin=X")
    assert seen.reboot
    assert seen.on


def test_the_security_sources_are_the_same_where_no_codename_is_known() -> None:
    lines = "".join(f'Unattended-Upgrade::Origins-Pattern:: "{origin}";\n' for origin in WITHOUT_CODENAME)
    parts = {
        "dropin.meta": "absent\n/x\n",
        "updater": "unattended-upgrades\n",
        "config": f'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n{lines}',
        "timers": "cron enabled active\n",
        "program": "/usr/bin/unattended-upgrade",
    }
    assert not any(",codename=" in origin for origin in WITHOUT_CODENAME)
    assert "origin=Debian,label=Debian-Security" in WITHOUT_CODENAME
    seen = UpdateChapter().parse(inputs(), Answer("", "", 0, parts))
    assert UpdateChapter().differences(inputs(), seen) == ""


PROGRAMS = {
    "dnf-automatic fedora": (dnf_text, "apply_updates = yes", "apply_updates = no"),
    "dnf5-automatic fedora": (dnf_text, "apply_updates = yes", "apply_updates = no"),
    "yum-cron rhel": (yum_text, "apply_updates = yes", "apply_updates = no"),
    "yum-cron fedora": (sysconfig_text, "CHECK_ONLY=no", "CHECK_ONLY=yes"),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_of_red_hat_read_back_what_they_are_told(program: str) -> None:
    text, applied, not_applied = PROGRAMS[program]
    for wanted in (
        inputs(),
        inputs(mail="root@example.org"),
        inputs(enabled=False),
        *([inputs(rebootTime="04:00")] if text is dnf_text else []),
    ):
        parts = {
            "dropin.meta": "absent\n/etc/dnf/automatic.conf\n",
            "updater": f"{program}\n",
            "config": text(wanted.dnf()),
            "timers": "dnf-automatic.timer enabled active\n",
            "program": "/usr/bin/dnf-automatic",
        }
        seen = UpdateChapter().parse(wanted, Answer("", "", 0, parts))
        assert UpdateChapter().differences(wanted, seen) == ""
        by_hand = {**parts, "config": parts["config"].replace(applied, not_applied)}
        changed = UpdateChapter().parse(wanted, Answer("", "", 0, by_hand))
        assert UpdateChapter().as_observed(wanted, KnownState(), changed).enabled is False


def test_centos_does_not_tell_which_updates_are_about_security() -> None:
    plain = DnfAutomatic(apply=True)
    for distro, on in (("centos", True), ("rhel", False)):
        for text in (yum_text(plain), sysconfig_text(plain)):
            parts = {
                "dropin.meta": "absent\n/etc/yum/yum-cron.conf\n",
                "updater": f"yum-cron {distro}\n",
                "config": text,
                "timers": "yum-cron enabled active\ncrond enabled active\n",
                "program": "/etc/cron.daily/0yum-daily.cron",
            }
            seen = UpdateChapter().parse(inputs(), Answer("", "", 0, parts))
            assert (UpdateChapter().differences(inputs(), seen) == "") is on


@pytest.mark.parametrize(("program", "taken"), [("dnf-automatic", False), ("dnf5-automatic", True)])
def test_a_file_that_no_package_brings_is_somebodys(program: str, taken: bool) -> None:
    parts = {
        "dropin.meta": "file 644 root root 0 0\n/etc/dnf/automatic.conf\n",
        "dropin.content": "",
        "updater": f"{program} fedora\n",
        "config": "",
        "timers": f"{program}.timer disabled inactive\n",
        "program": "/usr/bin/dnf-automatic",
    }
    seen = UpdateChapter().parse(inputs(), Answer("", "", 0, parts))
    assert UpdateChapter().already_configured(inputs(), seen) == (
        "/etc/dnf/automatic.conf already exists" if taken else ""
    )


@pytest.mark.parametrize("config", ["", "no section\n", "[commands]\nupgrade_type = default\napply_updates = no\n"])
def test_dnf_automatic_as_it_comes_installs_nothing(config: str) -> None:
    assert not parse(config).apply


RULE = "precedence ::ffff:0:0/96  100"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (f"# a\n#{RULE}\n# b\n", f"# a\n{RULE}\n# b\n"),
        ("", f"{RULE}\n"),
        ("# no newline", f"# no newline\n{RULE}\n"),
        (f"{RULE}\n", f"{RULE}\n"),
        ("precedence ::ffff:0:0/96 10\n", f"#precedence ::ffff:0:0/96 10\n{RULE}\n"),
        (f"#precedence ::ffff:0:0/96  10\n#{RULE}\n", f"#precedence ::ffff:0:0/96  10\n{RULE}\n"),
    ],
)
def test_gai_conf_puts_ipv4_first(text: str, result: str) -> None:
    assert with_ipv4_first(text) == result


@given(st.lists(st.sampled_from([f"#{RULE}", RULE, "# words", "label ::1/128 0", "precedence ::ffff:0:0/96 10"])))
def test_gai_conf_either_way(lines: list[str]) -> None:
    text = "".join(line + "\n" for line in lines)
    assert prefers_ipv4(with_ipv4_first(text))
    assert with_ipv4_first(with_ipv4_first(text)) == with_ipv4_first(text)
    assert not prefers_ipv4(without_ipv4_first(text))


def _values(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in lines}


def test_all_that_the_files_of_red_hat_say() -> None:
    wanted = DnfAutomatic(apply=True, security=True, reboot="shutdown -r 04:00", mail="ops@example.com")
    mail = {"emit_via": "stdio,email", "email_from": "root", "email_to": wanted.mail, "email_host": "localhost"}
    both = {"download_updates": "yes", "apply_updates": "yes", **mail}
    reboot = {"reboot": "when-needed", "reboot_command": "shutdown -r 04:00"}
    assert _values(dnf_text(wanted)) == {**both, **reboot, "upgrade_type": "security"}
    of_yum = {"update_messages": "yes", "random_sleep": "360", "debuglevel": "-2", "mdpolicy": "group:main"}
    assert _values(yum_text(wanted)) == {**both, **of_yum, "update_cmd": "security"}
    assert _values(sysconfig_text(wanted)) == {
        **{"YUM_PARAMETER": "--security", "CHECK_ONLY": "no", "DOWNLOAD_ONLY": "no", "MAILTO": wanted.mail},
        **{"ERROR_LEVEL": "0", "DEBUG_LEVEL": "0", "RANDOMWAIT": "60", "DAYS_OF_WEEK": "0123456", "CLEANDAY": "0"},
    }
    off = {"download_updates": "no", "apply_updates": "no", "emit_via": "stdio"}
    assert _values(dnf_text(DnfAutomatic())) == {**off, "upgrade_type": "default"}


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ("[commands]\napply_updates = True\n", DnfAutomatic(apply=True, mail="root")),
        ("[commands]\napply_updates = 1\nupgrade_type = security\n", DnfAutomatic(True, True, mail="root")),
        ("[commands]\nupdate_cmd = security\n", DnfAutomatic(security=True, mail="root")),
        ("[commands]\nreboot = when-needed\n", DnfAutomatic(reboot="shutdown -r +5", mail="root")),
        ("[emitters]\nemit_via = motd, email\n[email]\nemail_to = a@b\n", DnfAutomatic(mail="a@b")),
        ("[emitters]\nemit_via = motd\n[email]\nemail_to = a@b\n", DnfAutomatic()),
        ("no section", DnfAutomatic()),
        ("CHECK_ONLY=no\n", DnfAutomatic(apply=True)),
        ("CHECK_ONLY=yes\nMAILTO=root\n", DnfAutomatic(mail="root")),
        ("CHECK_ONLY=no\nDOWNLOAD_ONLY=yes\n", DnfAutomatic()),
        ("YUM_PARAMETER='-q --security'\n", DnfAutomatic(apply=True, security=True)),
    ],
)
def test_what_red_hats_files_mean(config: str, found: DnfAutomatic) -> None:
    assert parse(config) == found


def test_all_that_apt_is_configured_to_do() -> None:
    config = {
        "APT::Periodic::Enable": "1",
        "APT::Periodic::Update-Package-Lists": "2",
        "APT::Periodic::Unattended-Upgrade": "3",
        "Unattended-Upgrade::Origins-Pattern::": "origin=X",
        "Unattended-Upgrade::Automatic-Reboot": "true",
        "Unattended-Upgrade::Automatic-Reboot-Time": "04:00",
        "Unattended-Upgrade::Mail": "root",
        "Unattended-Upgrade::MailReport": "always",
    }
    parts = {
        "dropin.meta": "absent\n/x\n",
        "updater": "unattended-upgrades debian\n",
        "config": "".join(f'{name} "{value}";\n' for name, value in config.items()),
        "timers": "apt-daily.timer enabled active\n",
        "program": "/usr/bin/unattended-upgrade\n",
        "masked": "apt-daily.service\n",
        "seldom": "apt-daily.timer: OnCalendar=monthly\n",
    }
    seen = UpdateChapter().parse(inputs(), Answer("", "", 0, parts))
    assert seen.model_dump(exclude={"dropin"}) == {
        "periodic": ("1", "2", "3"),
        "origins": ("origin=X",),
        "reboot": True,
        "reboot_time": "04:00",
        "mail": "root",
        "mail_report": "always",
        "timers": ("enabled active",),
        "names": ("apt-daily.timer",),
        "masked": ("apt-daily.service",),
        "seldom": ("apt-daily.timer",),
        "installed": True,
    }
    assert not seen.on
    assert UpdateChapter().parse(inputs(), Answer("", "", 0, {**parts, "masked": "", "seldom": ""})).on

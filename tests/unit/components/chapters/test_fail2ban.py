"""Fail2Ban's settings, the text generated from them, and the facts of a host."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.core.chapter import KnownState
from components.fail2ban.chapter import Fail2BanChapter
from components.fail2ban.jails import jails_in, same_addresses, seconds, with_value
from components.fail2ban.settings import DROP_IN, HEAD, Fail2BanFacts, Fail2BanInputs, Fail2BanSettings, JailFacts
from hosts.shell import Answer
from hosts.system.files import FileState

FOUND = f"{HEAD}stockade_backend = systemd\nstockade_operator = 198.51.100.1\nstockade_kept_sshd = 192.0.2.9 \n\n"


def settings(**values: Any) -> Fail2BanSettings:
    return Fail2BanSettings.model_validate(values)


def inputs(**values: Any) -> Fail2BanInputs:
    return Fail2BanInputs.model_validate({"host": "web1", **settings(**values).props()})


def facts(wanted: Fail2BanInputs, **changes: Any) -> Fail2BanFacts:
    """The facts of a host that is as declared, with changes to sshd's jail or to the whole."""
    jail = wanted.jails["sshd"]
    shown = {
        "maxretry": jail.value("maxretry"),
        "findtime": str(seconds(jail.value("findtime"))),
        "bantime": str(seconds(jail.value("bantime"))),
        "ignoreip": ("127.0.0.0/8", "::1", "198.51.100.1", "192.0.2.9"),
    }
    own = {key: changes.pop(key) for key in list(changes) if key in shown}
    whole = {
        "dropin": FileState(DROP_IN, True, FOUND + wanted.config, "644", "root", "root"),
        "enabled": "enabled",
        "active": "active",
        "jails": {"sshd": JailFacts.model_validate({**shown, **own})},
    }
    return Fail2BanFacts.model_validate({**whole, **changes})


def test_sshd_is_guarded_by_default_with_what_works_on_the_host() -> None:
    assert list(jails_in(settings().text())) == ["sshd"]
    values = jails_in(settings().text())["sshd"].values
    assert values["enabled"] == "true"
    assert values["backend"] == "%(stockade_backend)s"
    assert values["ignoreip"].split() == [*("127.0.0.1/8", "::1", "%(stockade_operator)s", "%(stockade_kept_sshd)s")]


def test_further_jails_have_the_common_limits_unless_they_have_their_own() -> None:
    text = settings(
        bantime="1h",
        ignoreOperator=False,
        jails={
            "sshd": {"maxretry": 2},
            "nginx-http-auth": {"logpath": ["/var/log/nginx/error.log", "/srv/error.log"], "port": "80,443"},
        },
    ).text()
    jails = jails_in(text)
    assert jails["sshd"].value("maxretry") == "2"
    web = jails["nginx-http-auth"]
    assert (web.value("maxretry"), web.value("bantime"), web.value("port")) == ("5", "1h", "80,443")
    assert web.value("logpath").split() == ["/var/log/nginx/error.log", "/srv/error.log"]
    assert web.value("backend") == ""
    assert "stockade_operator" not in text


@pytest.mark.parametrize(
    ("values", "place", "words"),
    [
        ({"findtime": "soon"}, "findtime", "not a duration"),
        ({"findtime": "-1"}, "findtime", "not a duration"),
        ({"bantime": 0}, "bantime", "not a duration"),
        ({"maxretry": 0}, "maxretry", "greater than"),
        ({"ignoreip": ["10.0.0.300"]}, "ignoreip.0", "not an address"),
        ({"ignoreip": ["a b"]}, "ignoreip.0", "not an address"),
        ({"jails": {"a]\nb": {}}}, "", "not a valid jail name"),
        ({"jails": {"DEFAULT": {}}}, "", "not a valid jail name"),
        ({"jails": {"web": {"filter": "x\naction = evil"}}}, "jails.web.filter", "one line"),
        ({"jails": {"web": {"options": {"a b": "c"}}}}, "jails.web", "not the name of an option"),
        ({"sshPort": "22; rm"}, "sshPort", "ports"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(values: dict[str, Any], place: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**values)
    (error,) = caught.value.errors()
    assert ".".join(map(str, error["loc"])) == place
    assert words in error["msg"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("600", 600), ("10m", 600), ("1h", 3600), ("2d", 172800), ("1w", 604800), ("-1", -1), ("x", None), ("", None)],
)
def test_times_in_seconds(text: str, value: int | None) -> None:
    assert seconds(text) == value


@given(st.sampled_from(["maxretry", "bantime", "usedns"]), st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True))
def test_a_value_is_replaced_in_its_jail_alone(key: str, value: str) -> None:
    text = settings(jails={"web": {"filter": "sshd", "logpath": ["/a", "/b"]}}).text()
    before, after = jails_in(text), jails_in(with_value(text, "web", key, value))
    assert after["sshd"] == before["sshd"]
    assert after["web"].value(key) == value
    assert after["web"].without([key]) == before["web"].without([key])


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("port = 1\n[web]\nport = 2\n", "port = 1\n[web]\nport = 9\n"),
        ("port = 1\n[web]\nfilter = a\n", "port = 1\n[web]\nport = 9\nfilter = a\n"),
        ("[web]\n[sshd]\nport = 1\n", "[web]\nport = 9\n[sshd]\nport = 1\n"),
        ("[web]\nport : 2\nports = 3\n", "[web]\nport = 9\nports = 3\n"),
    ],
)
def test_a_line_of_another_section_or_of_none_is_left_alone(text: str, after: str) -> None:
    assert with_value(text, "web", "port", "9") == after


def test_addresses_are_compared_by_what_they_mean() -> None:
    assert same_addresses(["127.0.0.1/8", "::1", "Host.example"], ["::1", "127.0.0.0/8", "host.example"])
    assert not same_addresses(["::1"], ["::1", "192.0.2.1"])


def test_a_host_as_declared_is_no_drift() -> None:
    wanted = inputs(bantime="1h")
    seen = facts(wanted)
    assert Fail2BanChapter().differences(wanted, seen) == ""
    assert Fail2BanChapter().as_observed(wanted, KnownState(), seen) == wanted


def test_times_in_seconds_alone_are_no_drift_where_fail2ban_knows_no_others() -> None:
    wanted = inputs(bantime="1h", findtime="5m")
    own = "filter = %(__name__)s\n[ssh]\nenabled = false\n\n"
    text = wanted.config.replace("= 1h", "= 3600").replace("= 5m", "= 300")
    assert text != wanted.config
    seen = facts(wanted, dropin=FileState(DROP_IN, True, FOUND.rstrip() + "\n" + own + text, "644", "root", "root"))
    assert Fail2BanChapter().differences(wanted, seen) == ""
    assert Fail2BanChapter().as_observed(wanted, KnownState(), seen) == wanted
    other = seen.model_copy(update={"dropin": FileState(DROP_IN, True, FOUND + text.replace("= 300", "= 301"))})
    assert "not as declared" in Fail2BanChapter().differences(wanted, other)
    assert "findtime = 301" in Fail2BanChapter().as_observed(wanted, KnownState(), other).config


@pytest.mark.parametrize(
    ("change", "told", "line"),
    [
        ({"bantime": "5"}, "bantime = 5, not 1h", "bantime = 5"),
        ({"ignoreip": ("127.0.0.0/8", "::1", "192.0.2.1")}, "ignores", "ignoreip = 127.0.0.0/8 ::1 192.0.2.1"),
        ({"jails": {}}, "does not run", "enabled = false"),
    ],
)
def test_what_the_server_does_counts_and_not_what_the_file_says(change: Any, told: str, line: str) -> None:
    wanted = inputs(bantime="1h")
    seen = facts(wanted, **change)
    assert told in Fail2BanChapter().differences(wanted, seen)
    shown = Fail2BanChapter().as_observed(wanted, KnownState(), seen)
    assert line in shown.config.splitlines()
    assert len(set(shown.config.splitlines()) - set(wanted.config.splitlines())) == 1


@pytest.mark.parametrize("change", [{"active": "failed"}, {"enabled": "disabled"}, {"unenforced": ("sshd",)}])
def test_a_server_that_bans_nobody_is_shown_as_not_enabled(change: Any) -> None:
    wanted = inputs()
    assert not Fail2BanChapter().as_observed(wanted, KnownState(), facts(wanted, **change)).enabled


@pytest.mark.parametrize(
    ("change", "anew"),
    [({"maxretry": 9, "bantime": "2h", "ignoreip": ["192.0.2.1"]}, ""), ({"sshPort": 2222}, "sshd")],
)
def test_only_a_jail_with_other_actions_is_started_anew(change: Any, anew: str) -> None:
    last = inputs()
    script = Fail2BanChapter().apply(inputs(**change), KnownState(last=last, recorded=facts(last), prior=facts(last)))
    assert script.values["restarts"] == anew


def test_an_edited_file_that_is_no_configuration_is_still_shown() -> None:
    wanted = inputs()
    broken = FileState(DROP_IN, True, "[sshd\nwhat", "644", "root", "root")
    shown = Fail2BanChapter().as_observed(wanted, KnownState(), facts(wanted, dropin=broken))
    assert shown.config == "[sshd\nwhat"
    assert Fail2BanInputs.model_validate(shown.props()).jails == {}


def _seen(answers: list[Any], **parts: str) -> Fail2BanFacts:
    shown = {
        "dropin.meta": f"absent\n{DROP_IN}\n",
        "unit": "fail2ban enabled active\n",
        "local": "",
        "jails": "".join(f"{json.dumps(answer)}\n" for answer in answers),
        "jumps": "",
    }
    return Fail2BanChapter().parse(inputs(), Answer("", "", 0, {**shown, **parts}))


@pytest.mark.parametrize("answers", [[None] * 5, [], [5, 600, 600]])
def test_a_jail_of_which_the_server_knows_nothing_does_not_run(answers: list[Any]) -> None:
    assert _seen(answers).jails == {}


def test_what_the_host_never_bans_is_drift_when_its_files_say_otherwise() -> None:
    wanted = inputs()
    was = facts(wanted, ignored=("/etc/fail2ban/jail.local: ignoreip = 192.0.2.9",))
    now = facts(wanted, ignored=("/etc/fail2ban/jail.local: ignoreip = 192.0.2.9 192.0.2.10",))
    known = KnownState(wanted, was, was, was)
    assert Fail2BanChapter().as_observed(wanted, known, was) == wanted
    shown = Fail2BanChapter().as_observed(wanted, known, now).config
    assert "ignoreip = 127.0.0.0/8 ::1 198.51.100.1 192.0.2.9\n" in shown  # the new address is not in force yet
    own = inputs(jails={"sshd": {"options": {"ignoreip": "198.51.100.1"}}})
    assert (
        Fail2BanChapter().as_observed(own, KnownState(own, was, was, was), facts(own, ignoreip=("198.51.100.1",)))
        == own
    )

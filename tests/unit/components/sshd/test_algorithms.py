"""`algorithms: modern`: the word in the declared lines, and the list that each version of OpenSSH makes of it."""

import pytest

from components.core.chapter import KnownState
from components.sshd import algorithms, effective
from components.sshd.chapter import SshdChapter
from components.sshd.settings import SshdInputs, SshdSettings
from tests.unit.components.sshd.daemons import DROPIN, MAIN, SETTINGS, Host, host, inputs, one_host

__all__ = ["host", "one_host"]

MODERN = SshdSettings(algorithms="modern").text()
CLIENT_OF_2014 = {
    # what ssh of OpenSSH 6.7 offers, without what no server of `modern` has
    "KexAlgorithms": {"curve25519-sha256@libssh.org"},
    "Ciphers": {"aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com"},
    "MACs": {"umac-128-etm@openssh.com", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"},
    "HostKeyAlgorithms": {"ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519"},
}


def names(keyword: str, version: str) -> tuple[str, ...]:
    """The list that a host of this version makes."""
    number = tuple(map(int, version.split(".")))
    return tuple(name for since, name in algorithms.NAMES[keyword] if tuple(map(int, since.split("."))) <= number)


VERSIONS = ("7.2", "7.4", "8.4", "8.9", "9.2", "9.9", "10.0")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_host_makes_the_list_of_its_version(one_host: Host, version: str) -> None:
    one_host.stage.write("/stage/openssh", f"{version}\n")
    one_host.stage.write(MAIN, "LogLevel INFO\n", 0o600)  # the stage's sshd has no Include before 9
    seen = one_host.applied(inputs(MODERN))
    for keyword in algorithms.KEYWORDS:
        chosen = names(keyword, version)
        assert f"{keyword.lower()} {','.join(chosen)}\n" in seen.wanted
        assert {*chosen} & CLIENT_OF_2014[keyword], "a client of 2014 has nothing in common with it"


def test_each_shell_chooses_and_gives_back(host: Host) -> None:
    host.applied(inputs(MODERN))
    assert "Ciphers aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr\n" in (
        host.stage.read(DROPIN)
    )
    assert host.restore(inputs(MODERN)).status == 0
    assert host.files() == host.before


def test_a_person_of_that_name_and_small_letters_are_no_trouble(one_host: Host) -> None:
    seen = one_host.applied(inputs(SETTINGS + "AllowUsers deploy\nAllowUsers modern\nmacs modern\n"))
    assert "allowusers modern\n" in seen.wanted
    assert f"macs {','.join(names('MACs', '9.2'))}\n" in seen.wanted


def test_drift_replaces_the_word_by_what_is_there(one_host: Host) -> None:
    declared = inputs(MODERN)
    one_host.applied(declared)
    one_host.stage.write(DROPIN, one_host.stage.read(DROPIN).replace("aes256-ctr,", "3des-cbc,"), 0o600)
    seen = one_host.look(declared)
    assert SshdChapter().differences(declared, seen).startswith("ciphers for ")
    text = SshdChapter().as_observed(declared, KnownState(), seen).settings
    assert "3des-cbc" in effective.value(text, "ciphers")
    assert effective.value(text, "macs") == "modern"


@pytest.mark.parametrize("version", ["5.3", "6.7", "7.1"])
def test_a_version_without_a_safe_list_is_refused(one_host: Host, version: str) -> None:
    one_host.stage.write("/stage/openssh", f"{version}\n")
    before = one_host.files()
    answer = one_host.apply(inputs(MODERN))
    assert (answer.status, one_host.files()) == (65, before)
    assert f"algorithms: modern needs OpenSSH 7.2 or later, and this is OpenSSH_{version}p1" in answer.stderr


def test_one_list_alone_can_be_modern() -> None:
    assert "Ciphers modern\n" in SshdSettings(settings={"Ciphers": "modern"}).text()


def test_group_exchange_sha1_and_nist_curves_are_in_no_list() -> None:
    for keyword in algorithms.KEYWORDS:
        for name in names(keyword, "10.0"):
            assert not any(word in name for word in ("exchange", "sha1", "nistp", "cbc", "ssh-rsa", "hmac-md5"))


def test_typed_settings_are_lines_and_are_found_again() -> None:
    made = SshdSettings(
        algorithms="modern",
        max_auth_tries=3,
        login_grace_time=30,
        x11_forwarding=False,
        agent_forwarding=True,
        allow_users=("ann", "deploy"),
    )
    lines = made.text().splitlines()
    assert {
        "AllowAgentForwarding yes", "AllowUsers ann", "AllowUsers deploy", "LoginGraceTime 30", "MaxAuthTries 3",
        "X11Forwarding no", "MACs modern",
    } <= {*lines}  # fmt: skip
    assert SshdSettings.of(SshdInputs.model_validate(made.props("web1"))) == made


def test_a_value_that_a_typed_setting_cannot_express_stays_a_keyword() -> None:
    printed = "LoginGraceTime 2m\nMaxAuthTries 0\nPasswordAuthentication no\nPermitRootLogin no\nX11Forwarding maybe\n"
    found = SshdSettings.of(SshdInputs(host="web1", settings=printed))
    assert found.settings == {"LoginGraceTime": "2m", "MaxAuthTries": 0, "X11Forwarding": "maybe"}


def test_a_keyword_declared_twice_is_named() -> None:
    with pytest.raises(ValueError, match="maxauthtries is declared twice"):
        SshdSettings(max_auth_tries=3, settings={"MaxAuthTries": 4})
    with pytest.raises(ValueError, match="ciphers is declared twice"):
        SshdSettings(algorithms="modern", settings={"Ciphers": "aes256-ctr"})

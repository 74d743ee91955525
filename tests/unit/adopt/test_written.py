"""The written files are what was read, whatever words a host uses."""

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from adopt.output import write
from adopt.reading import Reading
from adopt.survey import Survey, changed_settings
from adopt.written import Adopted, files
from components.failure import Failure
from components.stack_config import parse
from hosts.ssh.connection import Connection

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEGiKqq0F84+efQb9Uja+yjLifA8YUdjnO0we6iI6iTp"
HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "x\n  stockade:hosts: {}",
            "\r\nconfig: {}\r\n",
            "\u2028config:\u2029\x85y: 1",
            "\x1b[2J\x1b]0;owned\x07",
            "# ---\n...\n%TAG ! x",
            "${secret} {{ x }} `id` $(id) 'quoted' \"double\"",
            "long " * 1_000,
            "\ufeff\u202e\u0000",
        ]
    ),
)
CHAPTERS = {
    "users": [{"name": "alice", "keys": [f'command="echo \\"# : {{}}" {KEY} a: b # c']}],
    "firewall": {"ipv4": {"rules": '*filter\n-A INPUT -m comment --comment "a: \\"b\\" # c" -j ACCEPT\nCOMMIT\n'}},
    "sshd": {"permitRootLogin": "yes", "settings": {"Banner": "/etc/issue.net", "AllowUsers": ["a", "no", "1e3"]}},
    "fail2ban": {"jails": {"sshd": {}, "no": {"maxretry": 3}}},
    "listeners": {"expected": ["yes", "0x10", ":53/udp"]},
}


def host(name: str, words: str = "", **chapters: Any) -> Adopted:
    """A host that was read, with a text of its own everywhere."""
    survey = Survey(words, words, words, (), "", (words,), (words,))
    remarks = {chapter: [words, words] for chapter in (*chapters, "packages")}
    reading = Reading(survey, dict(chapters), remarks, [f"firewall: {words}", words])
    return Adopted(name, Connection(host="192.0.2.1", user="root"), KEY, reading, sudo=True)


def read_back(written: dict[str, str]) -> dict[str, Any]:
    """What the stack config says."""
    (text,) = (text for path, text in written.items() if path.endswith(".yaml"))
    found: dict[str, Any] = yaml.safe_load(text)
    assert found.keys() == {"config"}
    return {key.removeprefix("stockade:"): value for key, value in found["config"].items()}


@given(HOSTILE)
def test_words_of_a_host_stay_comments(words: str) -> None:
    written = files("mine", [host("web1", words, **CHAPTERS)], "2026-01-01", [words])
    said = read_back(written)
    assert said.pop("hosts")["web1"] == {
        "address": "192.0.2.1",
        "hostKey": KEY,
        "bootstrap": {"user": "root"},
    }
    assert said.pop("defaults") == {"existing": "asIs"}
    rules = written["stacks/rules/mine.web1.ipv4"]
    assert rules == CHAPTERS["firewall"]["ipv4"]["rules"]  # type: ignore[call-overload]
    assert said.pop("firewall") == {"ipv4": {"file": "stacks/rules/mine.web1.ipv4"}}
    assert said == {name: value for name, value in CHAPTERS.items() if name != "firewall"}
    for line in written["stacks/Pulumi.mine.yaml"].splitlines():
        assert line.isprintable()
        assert len(line) < 1000


def test_it_is_a_valid_stack_config(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(
        host("web2", **CHAPTERS, timeSync={"daemon": "chrony"}),
        host_key=KEY.replace("Gi", "Gj"),
        login=Connection(host="::1"),
    )
    hosts = [host("web1", **CHAPTERS), other]
    written = files("mine", hosts, "2026-01-01")
    monkeypatch.chdir(tmp_path)
    write("mine", written, tmp_path)
    config = parse(read_back(written), "mine")
    assert [*config.hosts] == ["web1", "web2"]
    assert sorted(written) == ["stacks/Pulumi.mine.yaml", "stacks/rules/mine.ipv4"]


def test_what_exists_is_never_overwritten(tmp_path: Any) -> None:
    written = files("mine", [host("web1", **CHAPTERS)], "2026-01-01")
    write("mine", written, tmp_path)
    write("mine", written, tmp_path)  # the same again
    file = tmp_path / "stacks/Pulumi.mine.yaml"
    file.write_text(file.read_text().replace("permitRootLogin: 'yes'", "permitRootLogin: 'no'"))
    before = file.read_text()
    rules = tmp_path / "stacks/rules/mine.web1.ipv4"
    rules.unlink()
    with pytest.raises(Failure, match=r"exists and differs; nothing is written") as error:
        write("mine", written, tmp_path)
    assert "-  permitRootLogin: 'no'" in str(error.value).replace("   ", " ")
    assert file.read_text() == before
    assert not rules.exists()


SHIPPED = "port 22\npermitrootlogin prohibit-password\nx11forwarding no\nusepam no\nciphers a,b\nbanner none\n"


@pytest.mark.parametrize(
    ("effective", "kept"),
    [
        (SHIPPED, "PermitRootLogin prohibit-password\n"),
        (SHIPPED.replace("usepam no", "usepam yes"), "PermitRootLogin prohibit-password\n"),
        (SHIPPED + "allowusers a\nallowusers b\n", "AllowUsers a\nAllowUsers b\nPermitRootLogin prohibit-password\n"),
        (SHIPPED.replace("banner none", "banner /etc/issue"), "Banner /etc/issue\nPermitRootLogin prohibit-password\n"),
        (SHIPPED.replace("22", "2222"), "PermitRootLogin prohibit-password\n"),  # the chapter finds ports itself
        ("\x1b]0;x\x07\nunknownkeyword 1\npermitrootlogin no\nmaxauthtries\n", "PermitRootLogin no\n"),
        ("", ""),
    ],
)
def test_what_differs_from_the_distribution(effective: str, kept: str) -> None:
    assert changed_settings({"shipped": SHIPPED, "effective": effective}, "debian") == kept

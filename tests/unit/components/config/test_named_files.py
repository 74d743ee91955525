"""Files named in a config: changing the config must not make a run print other files."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.config.named_files import REVIEW
from components.config.remarks import bad_files
from components.config.shards import InventoryError, read_inventory
from components.firewall.settings import _unquoted
from components.keys.public import NoPublicKey, public_keys
from components.stack_config import ConfigError, parse

SECRET = "correct-horse-battery"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEDq8c/agbzzpAV2aMQuvzQIGeHzYOep+3ifQMvj8rzQ"
HOSTS = {"h1": {"address": "192.0.2.9", "bootstrap": {"user": "root"}}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and somebody else's file outside it."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / "sub").mkdir()
    (folder / "Pulumi.yaml").touch()
    (folder / ".git" / "config").write_text(f"[http]\n\textraheader = {SECRET}\n")
    (tmp_path / "outside").write_text(f"TOKEN={SECRET}\n")
    monkeypatch.chdir(folder)
    for name in ("CI", REVIEW):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", SECRET)
    return folder


def _named(folder: Path) -> dict[str, Callable[[], str]]:
    """Paths in a config that lead out of the project, or to something other than a regular file."""
    inner = folder / "rules.v4"

    def link(to: str) -> Callable[[], str]:
        def make() -> str:
            inner.symlink_to(to)
            return "rules.v4"

        return make

    def through() -> str:
        (folder / "linked").symlink_to(folder.parent)
        return "linked/outside"

    def pipe() -> str:
        os.mkfifo(inner)
        return "rules.v4"

    def listening() -> str:
        socket.socket(socket.AF_UNIX).bind("rules.v4")
        return "rules.v4"

    def sparse() -> str:
        with inner.open("wb") as file:
            file.truncate(2**40)
        return "rules.v4"

    return {
        "environ": lambda: "/proc/self/environ",
        "thread's": lambda: "/proc/thread-self/environ",
        "device": lambda: "/dev/zero",
        "terminal": lambda: "/dev/tty",
        "descriptor": lambda: "/dev/fd/0",
        "kernel's": lambda: "/sys/kernel/notes",
        "absolute": lambda: str(folder.parent / "outside"),
        "up": lambda: "../outside",
        "down and up": lambda: "sub/../../outside",
        "home": lambda: "~/outside",
        "link": link("../outside"),
        "link to environ": link("/proc/self/environ"),
        "folder's link": through,
        "link in a circle": link("rules.v4"),
        "git's": lambda: ".git/config",
        "git's by a link": link(".git/config"),
        "pipe": pipe,
        "socket": listening,
        "folder": lambda: "sub",
        "sparse": sparse,
        "not there": lambda: "nothing",
        "none": lambda: "a\0b",
        "huge name": lambda: "x" * 5000,
    }


WAYS = [*_named(Path("/x"))]


def _refused(settings: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as failed:
        parse({"hosts": HOSTS, **settings}, "test")
    told = str(failed.value)
    assert SECRET not in told
    assert "Traceback" not in told
    assert len(told) < 20_000
    return told


@pytest.mark.parametrize("way", WAYS)
def test_rules_and_inventories_are_files_of_the_project(
    project: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(project.parent))
    path = _named(project)[way]()
    assert "stockade:firewall.ipv4.file: " in _refused({"firewall": {"ipv4": {"file": path}}})
    assert "stockade:hosts.h1.firewall.ipv6.file: " in _refused(
        {"hosts": {"h1": {**HOSTS["h1"], "firewall": {"ipv6": {"file": path}}}}}
    )
    assert "stockade:inventory: " in _refused({"inventory": path})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"TOKEN={SECRET}\n", "rules.v4:1:1: not a rule that can be loaded; expected "),
        (f"-A INPUT -j {SECRET}\n", "rules.v4:1:13: not a rule that can be loaded; expected "),
        (f"*filter\n{SECRET}\nCOMMIT\n", "rules.v4:2:1: not a rule that can be loaded; expected "),
        ("\0", "/rules.v4 is not a text file"),
        ("x\n", "rules.v4:1:1: not a rule that can be loaded; expected "),
    ],
)
def test_what_is_in_a_file_that_is_no_ruleset_is_not_told(project: Path, text: str, told: str) -> None:
    (project / "rules.v4").write_text(text)
    assert told in _refused({"firewall": {"ipv4": {"file": "rules.v4"}}})


def test_what_cannot_be_read_for_another_reason_is_not_told_either() -> None:
    assert _unquoted("rules.v4", ValueError(SECRET)) == "'rules.v4' is not a ruleset that can be loaded"


@given(st.text(max_size=200), st.sampled_from(["", "-A INPUT -s ", "a: ", "[", "- ", "{", '"', "ssh-rsa "]))
def test_no_text_comes_back_from_a_file(tmp_path_factory: pytest.TempPathFactory, noise: str, start: str) -> None:
    folder = tmp_path_factory.mktemp("project")
    (folder / "Pulumi.yaml").touch()
    file = folder / "file"
    file.write_text(f"{start}{SECRET}{noise}\n", encoding="utf-8", errors="ignore")
    with pytest.raises(NoPublicKey) as refused:
        public_keys(files=[str(file)])
    assert SECRET not in str(refused.value)
    told = ""
    try:
        read_inventory("file", folder)
    except InventoryError as error:
        told = str(error)
    assert SECRET not in told


def test_links_and_folders_within_the_project_are_followed(project: Path) -> None:
    (project / "sub" / "rules.v4").write_text("*filter\n-A INPUT -j ACCEPT\nCOMMIT\n")
    (project / "link").symlink_to("sub/rules.v4")
    for path in ("sub/rules.v4", "link", str(project / "link"), "./sub/../link"):
        assert parse({"hosts": HOSTS, "firewall": {"ipv4": {"file": path}}}, "test").hosts


@pytest.fixture(params=[REVIEW, "CI"])
def review(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that previews somebody else's change."""
    monkeypatch.setenv(request.param, "true")
    if request.param == "CI":
        monkeypatch.setattr("components.config.named_files.is_dry_run", lambda: True)
    return str(request.param)


def test_key_files_outside_are_the_operators_own(project: Path) -> None:
    (project.parent / "id.pub").write_text(f"{KEY} me\n")
    assert public_keys(files=["../id.pub"]) == (f"{KEY} me",)
    (project / "id.pub").symlink_to("../id.pub")
    assert public_keys(files=["id.pub"]) == (f"{KEY} me",)


def test_and_are_not_read_where_a_change_is_reviewed(project: Path, review: str) -> None:
    (project.parent / "id.pub").write_text(f"{KEY} me\n")
    (project / "own.pub").write_text(f"{KEY} me\n")
    (project / "link.pub").symlink_to("../id.pub")
    assert public_keys(files=["own.pub"])
    for path in ("../id.pub", "link.pub", str(project.parent / "id.pub"), "~/.ssh/id_rsa.pub"):
        told = _refused({"users": [{"name": "deploy", "keyFiles": [path]}]})
        assert "stockade:users[0].keyFiles[0]: " in told
        assert "is outside the project, and such files are not read in CI" in told
    named = {**HOSTS["h1"], "privateKeyFile": "../outside", "proxy": {"host": "j", "knownHostsFile": "../outside"}}
    config = parse({"hosts": {"h1": named}}, "test")
    assert bad_files(config.defaults, config.hosts, "stockade:") == {}


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("link", "up", "home", "absolute", "down and up")])
def test_a_key_file_that_is_none_is_told_without_what_is_in_it(
    project: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(project.parent))
    path = _named(project)[way]()
    _refused({"users": [{"name": "deploy", "keyFiles": [path]}]})
    config = parse({"hosts": {"h1": {**HOSTS["h1"], "privateKeyFile": path, "knownHostsFile": path}}}, "test")
    told = bad_files(config.defaults, config.hosts, "stockade:")
    assert "stockade:hosts.h1.privateKeyFile" in told
    assert SECRET not in str(told)
    for name in ("environ", "device", "kernel's", "pipe"):
        if way == name:
            assert "is not a file" in told["stockade:hosts.h1.knownHostsFile"][0]


HIDDEN = [
    "web\n```\n\n# Preview: no changes :white_check_mark:\n\n@org/security [d](https://evil.example)\n\n<!--",
    "x\x1b]0;TITLE\a\x1b[31mred",
    "\u202egnp.exe",
    "a\u200bb",
    "w1\n",
    "w1\r",
    "\x9b2J",
]
NAMES = [*HIDDEN, "a|b", "a b", "", "../x", "-x", "é", "<!--", "@org"]
PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "hosts": lambda name: {"hosts": {name: HOSTS["h1"]}},
    "inventory": lambda _: {"inventory": "hosts.yaml"},
    "user": lambda name: {"users": [{"name": name, "keys": [KEY]}]},
    "group": lambda name: {"users": [{"name": "ok", "keys": [KEY], "groups": [name]}]},
    "set": lambda name: {"firewall": {"sets": {name: {"entries": ["192.0.2.1"]}}}},
    "jail": lambda name: {"fail2ban": {"jails": {name: {}}}},
    "jail's option": lambda name: {"fail2ban": {"jails": {"sshd": {"options": {name: "1"}}}}},
    "keyword": lambda name: {"sshd": {"settings": {name: "yes"}}},
    "setting": lambda name: {f"no{name}": 1},
    "host's setting": lambda name: {"hosts": {"h1": {**HOSTS["h1"], f"no{name}": 1}}},
    "login's setting": lambda name: {"defaults": {"admin": {f"no{name}": 1}}},
}


def _is_told_escaped(settings: dict[str, Any], name: str) -> None:
    told = _refused(settings)
    assert all(letter == "\n" or letter.isprintable() for letter in told), told
    assert name.isprintable() or ascii(name)[1:-1][:15] in told, told
    assert "\n```" not in told
    assert "\n#" not in told


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", PLACES)
def test_names_are_checked_at_the_border_and_told_escaped(project: Path, place: str, name: str) -> None:
    (project / "hosts.yaml").write_text(json.dumps({name: HOSTS["h1"]}))
    _is_told_escaped(PLACES[place](name), name)


@pytest.mark.parametrize("name", HIDDEN)
def test_names_of_services_and_chains_can_be_seen(project: Path, name: str) -> None:
    _is_told_escaped({"firewall": {"services": [{"name": name, "ports": [80]}]}}, name)
    if len(name) < 20 and not any(letter.isspace() for letter in name):
        _is_told_escaped({"firewall": {"ipv4": {"rules": f"*filter\n:{name} - [0:0]\nCOMMIT\n"}}}, name)

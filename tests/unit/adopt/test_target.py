"""Which host is meant, as a user or ssh_config(5) says it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from adopt.target import read_target
from components.failure import Failure

SSH_CONFIG = """
Host db
    HostName 2001:db8::7
    Port 2222
    User ops
    ProxyJump jump@bastion:2022
    HostKeyAlias database
    IdentityFile {key}
Host bastion
    HostName 198.51.100.1
Host commanded
    ProxyCommand nc %h %p
Host through
    ProxyCommand /usr/bin/ssh -q -W %h:%p jump@bastion
Host round
    ProxyJump round
"""


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ssh that reads a configuration of its own."""
    real = shutil.which("ssh")
    if real is None:
        pytest.skip("there is no ssh")
    key = tmp_path / "key"
    key.write_text("")
    (tmp_path / "config").write_text(SSH_CONFIG.format(key=key))
    (tmp_path / "ssh").write_text(f'#!/bin/sh\nexec {real} -F {tmp_path}/config "$@"\n')
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return key


@pytest.fixture
def no_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without ssh."""
    monkeypatch.setattr(shutil, "which", lambda _name: None)


@pytest.mark.usefixtures("no_ssh")
@pytest.mark.parametrize(
    ("words", "name", "login"),
    [
        ("root@203.0.113.7", "", ("root", "203.0.113.7", 22)),
        ("web1=root@203.0.113.7:2222", "web1", ("root", "203.0.113.7", 2222)),
        ("root@web1.example.org", "web1.example.org", ("root", "web1.example.org", 22)),
        ("root@2001:db8::7", "", ("root", "2001:db8::7", 22)),
        ("root@[2001:db8::7]:22022", "", ("root", "2001:db8::7", 22022)),
        ("x=deploy@[2001:db8::7]", "x", ("deploy", "2001:db8::7", 22)),
    ],
)
def test_targets(words: str, name: str, login: tuple[str, str, int]) -> None:
    target = read_target(words)
    assert target.name == name
    assert (target.login.user, target.login.host, target.login.port) == login


@pytest.mark.usefixtures("no_ssh")
@pytest.mark.parametrize(
    "words",
    [
        *("", "@", "root@", "root@web1:", "root@web1:x", "a=b=root@web1", "root@web 1", "-oProxyCommand=x"),
        *("root@web1:0", "root@web1:65536", "root@203.0.113.7:22:22", "x y=root@web1", "root@web1\n", "root@we\x1bb1"),
        *("root@[web1", "root@12:34::zz", "root@-web", "--help", "root@web1;id"),
    ],
)
def test_what_is_no_target_is_said(words: str) -> None:
    with pytest.raises(Failure, match=r"is not a host") as error:
        read_target(words)
    assert "\x1b" not in str(error.value)


def test_ssh_config_says_how(ssh: Path) -> None:
    target = read_target("db")
    said: dict[str, Any] = target.login.model_dump(exclude_defaults=True)
    assert target.name == "db"
    assert (said["user"], said["host"], said["port"]) == ("ops", "2001:db8::7", 2222)
    assert said["host_key_alias"] == "database"
    assert str(said["private_key_file"]) == str(ssh)
    assert (said["proxy"]["user"], said["proxy"]["host"], said["proxy"]["port"]) == ("jump", "198.51.100.1", 2022)
    assert read_target("root@db:22").login.port == 22


@pytest.mark.usefixtures("ssh")
def test_a_proxy_command_that_is_ssh_is_a_jump_host() -> None:
    proxy = read_target("through").login.proxy
    assert proxy is not None
    assert proxy.address == "jump@198.51.100.1"


@pytest.mark.usefixtures("ssh")
@pytest.mark.parametrize(("words", "why"), [("commanded", "ProxyCommand; use ProxyJump"), ("round", "jump")])
def test_what_ssh_config_says_and_stockade_cannot(words: str, why: str) -> None:
    with pytest.raises(Failure, match=why):
        read_target(words)

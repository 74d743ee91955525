"""Inventories of three kinds name hosts to read, and how to reach them."""

from pathlib import Path

import pytest

from adopt.inventory import read_inventory
from components.failure import Failure

INI = """
mail.example.com ansible_host=203.0.113.9

[web]
web[01:03].example.com ansible_user=ops   # three of them
db ansible_host=2001:db8::7 ansible_port=2222

[web:vars]
ansible_user = deploy

[all:children]
web
"""
GROUPS = """
all:
  vars: {ansible_user: root}
  children:
    web:
      vars: {ansible_user: deploy}
      hosts:
        web[a:b]:
        db: {ansible_host: 203.0.113.8, ansible_port: 2222}
"""
OWN = """
web1: {address: 203.0.113.7, admin: {user: deploy}}
web2: {address: "2001:db8::2", port: 2222, bootstrap: {user: root}}
"""
SSH = """
Host web1 web2
    HostName 203.0.113.7
    User deploy
    Port 2222
Host *.internal
    User nobody
Host *
    User root
"""


def read(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    file = tmp_path / "hosts"
    file.write_text(text)
    return [(one.name, one.login.address) for one in read_inventory(file)]


def test_ansibles_ini(tmp_path: Path) -> None:
    found = read(tmp_path, INI)
    assert found[0][0] == "mail.example.com"
    assert found[0][1].endswith("@203.0.113.9")
    assert found[1:] == [
        ("web01.example.com", "ops@web01.example.com"),
        ("web02.example.com", "ops@web02.example.com"),
        ("web03.example.com", "ops@web03.example.com"),
        ("db", "deploy@[2001:db8::7]:2222"),
    ]


def test_ansibles_yaml_groups(tmp_path: Path) -> None:
    found = read(tmp_path, GROUPS)
    assert found == [("weba", "deploy@weba"), ("webb", "deploy@webb"), ("db", "deploy@203.0.113.8:2222")]


def test_an_inventory_of_our_own(tmp_path: Path) -> None:
    assert read(tmp_path, OWN) == [("web1", "deploy@203.0.113.7"), ("web2", "root@[2001:db8::2]:2222")]


def test_an_ssh_config(tmp_path: Path) -> None:
    assert read(tmp_path, SSH) == [("web1", "deploy@203.0.113.7:2222"), ("web2", "deploy@203.0.113.7:2222")]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no host"),
        ("web1 ansible_host={{ address }}", "templates"),
        ("web1: 7", "expected settings"),
        ("[web\nx", "not a host"),
        ("web1 ansible_port=many", "not a host"),
        ("all: {hosts: {'a b': }}", "not a host"),
        ("web[1:99999999]", "more than"),
        ("&a [*a]: &b {*b : 1}", "inventory|not a host"),
    ],
)
def test_what_is_no_inventory_is_refused_in_one_sentence(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(Failure, match=fault):
        read(tmp_path, text)

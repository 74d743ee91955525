"""Inventories of three kinds name hosts to read, and how to reach them."""

from pathlib import Path

import pytest

from adopt.inventory import read_inventory
from adopt.target import Target
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


def listed(file: Path) -> list[Target]:
    """The hosts, of which each can be read."""
    found = read_inventory(file)
    if found.faults:
        raise Failure("; ".join(found.faults))
    return found.targets


def read(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    file = tmp_path / "hosts"
    file.write_text(text)
    return [(one.name, one.login.address) for one in listed(file)]


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


DEEP = """
[web]
web1 ansible_host=203.0.113.1
[db]
db1
[prod:children]
web
db
[prod]
web1
[prod:vars]
ansible_user="ops"
ansible_port=2222
ansible_ssh_common_args='-o ForwardAgent=no -o ProxyCommand="ssh -W %h:%p -q jump@198.51.100.1 -p 2022"'
[web:vars]
ansible_port = 2200
"""


def test_variables_of_groups_of_groups(tmp_path: Path) -> None:
    assert read(tmp_path, DEEP) == [("web1", "ops@203.0.113.1:2200"), ("db1", "ops@db1:2222")]
    (one, _) = listed(tmp_path / "hosts")
    assert one.login.proxy is not None
    assert one.login.proxy.address == "jump@198.51.100.1:2022"


def test_variables_in_files_beside_an_inventory(tmp_path: Path) -> None:
    for name, text in {
        "group_vars/all.yml": "ansible_user: root",
        "group_vars/web/login.yml": "ansible_user: ops",
        "group_vars/web/vault.yml": "$ANSIBLE_VAULT;1.1;AES256",
        "host_vars/web2": "ansible_host: 203.0.113.2",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    text = "db1\n[web]\nweb[1:3:1]\n"
    assert read(tmp_path, text) == [
        *(("db1", "root@db1"), ("web1", "ops@web1"), ("web2", "ops@203.0.113.2"), ("web3", "ops@web3"))
    ]


def test_hosts_that_cannot_be_read_are_listed_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text(
        "web1\nwin ansible_connection=winrm\nt ansible_host={{ x }}\np ansible_ssh_common_args='-o ProxyCommand=nc'\n"
    )
    found = read_inventory(file)
    assert [one.name for one in found.targets] == ["web1"]
    reasons = ("win: ansible_connection is winrm", "t: templates", "p: a ProxyCommand; use ProxyJump")
    assert [reason in fault for reason, fault in zip(reasons, found.faults, strict=True)] == [True] * 3


def test_an_ssh_config_with_includes_wildcards_and_matches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    more = tmp_path / "more"
    more.mkdir()
    (more / "a.conf").write_text("Host db1\n  HostName 203.0.113.9\nHost *.old !x\n  Port 1\n")
    text = "Host web1 *.example.org\n  Port 2222\nMatch originalhost db1\n  User dba\nMatch all\n  User ops\n"
    assert read(tmp_path, f"Include {more}/*.conf\n{text}") == [("db1", "dba@203.0.113.9"), ("web1", "ops@web1:2222")]

"""One stack config, one host of each family of distributions: the same outside checks give the same result.

`STOCKADE_DISTRIBUTIONS=fedora,arch` selects variants; `STOCKADE_WRITE_TABLE=1` writes the table of
docs/distributions.md from the results (otherwise the test fails if they differ).
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry, up_if_to_be_had
from tests.lab.distributions import CHAPTERS, USER, VARIANTS, Variant, snapshot, table
from tests.lab.outside import probe_ports
from tests.lab.stack import REPOSITORY, Stack

DOCUMENT = REPOSITORY / "docs/distributions.md"
BEGIN = "<!-- the table below is written by tests/lab/families/test_distributions.py -->\n"
END = "<!-- end of the table -->\n"
WANTED = (os.environ.get("STOCKADE_DISTRIBUTIONS") or ",".join(variant.name for variant in VARIANTS)).split(",")
CHOSEN = tuple(variant for variant in VARIANTS if variant.name in WANTED)

Hosts = dict[str, LabHost]


@pytest.fixture(scope="module")
def hosts(lab: Lab) -> Iterator[Hosts]:
    """One pristine host of each variant; rpcbind listens on all of them."""
    names = [f"dist-{variant.name}" for variant in CHOSEN]
    lab.down(names)
    found = {}
    for variant in CHOSEN:
        host = up_if_to_be_had(lab, f"dist-{variant.name}", variant.name)
        if host is not None:
            found[variant.name] = host
            host.exec(variant.prepare)
    yield found
    lab.down(names)


def there(hosts: Hosts) -> tuple[Variant, ...]:
    """The variants that could be built."""
    return tuple(variant for variant in CHOSEN if variant.name in hosts)


@pytest.fixture(scope="module")
def stack(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """All of them in one stack; their entries differ only in what no table can know."""
    stack = Stack(tmp_path_factory.mktemp("distributions") / "project")
    configure(stack, hosts)
    return stack


def configure(stack: Stack, hosts: Hosts, **firewall: Any) -> None:
    """Declare the whole guide on all hosts."""
    entries = {}
    for variant in there(hosts):
        host = hosts[variant.name]
        admin = {"user": USER, "privateKeyFile": str(host.key_file)}
        entries[host.name] = entry(host, admin=admin, addresses=[host.ipv6], **dict(variant.settings))
    key = f"{next(iter(hosts.values())).key_file}.pub"
    stack.configure(
        hosts=entries,
        packages={"absent": ["exim4-daemon-light", "rpcbind"]},
        users=[{"name": USER, "sudo": "nopasswd", "keyFiles": [key]}],
        firewall=firewall,
        sshd={},
        fail2ban={},
        updates={},
        listeners={"unexpected": "fail"},
    )


@pytest.fixture(scope="module")
def before(hosts: Hosts, stack: Stack) -> dict[str, list[str]]:
    """Return the hosts' prior states and apply the guide to all of them at once."""
    prior = {name: snapshot(host) for name, host in hosts.items()}
    stack.up()
    return prior


@pytest.mark.usefixtures("before")
def test_every_chapter_is_in_force_on_every_one_also_after_a_reboot(lab: Lab, hosts: Hosts) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda host: host.reboot(), hosts.values()))
    results = {
        chapter: {variant.name: check(lab, hosts[variant.name], variant) for variant in there(hosts)}
        for chapter, check in CHAPTERS
    }
    if there(hosts) == VARIANTS:
        _document(table(results, VARIANTS))


@pytest.mark.usefixtures("before")
def test_the_rules_are_the_same_on_every_one(hosts: Hosts) -> None:
    shown = {host.exec("{ iptables -S; ip6tables -S; } | grep -v 'f2b-\\|fail2ban-'").stdout for host in hosts.values()}
    assert len(shown) == 1, shown
    assert "--dport 443" in shown.pop()


@pytest.mark.usefixtures("before")
def test_nothing_changes_by_itself(stack: Stack) -> None:
    assert "unchanged" in stack.up()
    stack.refresh()
    stack.unchanged()


@pytest.mark.usefixtures("before")
def test_rules_that_lock_everybody_out_are_taken_back(lab: Lab, hosts: Hosts, stack: Stack) -> None:
    def in_force() -> list[str]:
        look = "iptables -S; ip6tables -S; cat /etc/iptables/* /etc/sysconfig/ip*tables"
        return [host.exec(look, check=False).stdout for host in hosts.values()]

    kept = in_force()
    configure(stack, hosts, sshSources=["192.0.2.1"], acceptLockout=True, confirmWithin=5)
    result = stack.up(check=False)
    assert result.output.count("the change was not kept: with it in force, no new login worked") >= len(hosts)
    assert in_force() == kept
    assert {probe_ports(lab, host, [22])["ipv4"][22] for host in hosts.values()} == {"open"}
    configure(stack, hosts)
    stack.unchanged()


def test_destroy_gives_each_its_prior_state_back(hosts: Hosts, stack: Stack, before: dict[str, list[str]]) -> None:
    stack.destroy()
    after = {name: snapshot(host) for name, host in hosts.items()}
    changed = {
        name: [
            *(f"- {line}" for line in lines if line not in after[name]),
            *(f"+ {line}" for line in after[name] if line not in lines),
        ]
        for name, lines in before.items()
    }
    assert changed == {name: [] for name in hosts}
    assert after == before


_DEBIAN = ({"absent": ["ucf"]}, "because these would be removed, too: openssh-server")
REFUSED: dict[str, tuple[dict[str, list[str]], str]] = {
    "debian": _DEBIAN,
    "debian-11": _DEBIAN,
    "debian-sid": _DEBIAN,
    "fedora": ({"absent": ["python3"]}, "because these would be removed, too: dnf"),
    "fedora41": ({"absent": ["librepo"]}, "because these would be removed, too: dnf5"),
    "centos7": ({"absent": ["python"]}, "because these would be removed, too: yum"),
    "centos6": ({"absent": ["python"]}, "because these would be removed, too: yum"),
    "debian8": _DEBIAN,
    "debian7": _DEBIAN,
    "arch": ({"present": ["unattended-upgrades"]}, "Arch supports no unattended updates"),
}


def test_what_must_not_go_or_cannot_come_is_refused(hosts: Hosts, tmp_path: Path) -> None:
    stack = Stack(tmp_path / "project")
    entries = {host.name: entry(host, packages=REFUSED[name][0]) for name, host in hosts.items()}
    stack.configure(hosts=entries, firewall=False)
    prior = {name: _without_records(host) for name, host in hosts.items()}
    result = stack.up(check=False)
    assert result.status != 0
    for name in hosts:
        assert REFUSED[name][1] in result
    stack.destroy()
    assert {name: _without_records(host) for name, host in hosts.items()} == prior


def test_no_variant_is_left_out(hosts: Hosts) -> None:
    missing = [variant.name for variant in CHOSEN if variant.name not in hosts]
    if missing:
        pytest.skip(f"not tried, their packages cannot be downloaded now: {', '.join(missing)}")


def _without_records(host: LabHost) -> list[str]:
    """The record of the prior state stays on the host for the next `up`."""
    return [line for line in snapshot(host) if not line.startswith("/var/lib/stockade/")]


def _document(drawn: str) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    old, _, tail = rest.partition(END)
    if os.environ.get("STOCKADE_WRITE_TABLE"):
        DOCUMENT.write_text(f"{head}{BEGIN}\n{drawn}\n{END}{tail}", encoding="utf-8")
    else:
        assert old.strip() == drawn.strip(), f"{DOCUMENT} says otherwise; STOCKADE_WRITE_TABLE=1 writes it anew"

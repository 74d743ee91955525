"""What hosts have in common is written once; each host still gets exactly its own settings."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adopt.factored import factored
from components.config.inventory import HostEntry
from components.registry import Hardening, HostSettings

_CHAPTERS: dict[str, st.SearchStrategy[Any]] = {
    "users": st.lists(
        st.fixed_dictionaries({"name": st.sampled_from(["alice", "bob"])}, optional={"sudo": st.just("nopasswd")}),
        min_size=1,
        max_size=2,
        unique_by=lambda user: user["name"],
    ),
    "firewall": st.one_of(
        st.fixed_dictionaries({"keep": st.sampled_from(["ufw", "firewalld"])}),
        st.fixed_dictionaries(
            {
                "ipv4": st.sampled_from(
                    [{"rules": f"*filter\n-A INPUT -p {name} -j DROP\nCOMMIT\n"} for name in ("tcp", "udp")]
                )
            },
            optional={"persistent": st.just(False), "beside": st.just(["inet house"])},
        ),
    ),
    "sysctl": st.fixed_dictionaries(
        {}, optional={"values": st.sampled_from([{"kernel.panic": 1}, {"vm.swappiness": 9}])}
    ),
    "sshd": st.fixed_dictionaries(
        {},
        optional={
            "permitRootLogin": st.sampled_from(["yes", "prohibit-password"]),
            "passwordAuthentication": st.just(True),
            "settings": st.sampled_from([{"MaxAuthTries": 3}, {"Port": [22, 2222]}]),
        },
    ),
    "fail2ban": st.fixed_dictionaries(
        {},
        optional={
            "enabled": st.just(False),
            "maxretry": st.integers(1, 3),
            "bantime": st.sampled_from(["1h", "2h"]),
            "ignoreOperator": st.just(False),
            "jails": st.sampled_from([{"ssh": {}}, {"web": {"maxretry": 2}}]),
        },
    ),
    "updates": st.fixed_dictionaries({}, optional={"rebootTime": st.just("04:00"), "mail": st.just("root")}),
    "timeSync": st.fixed_dictionaries({}, optional={"daemon": st.sampled_from(["chrony", "openntpd"])}),
    "listeners": st.fixed_dictionaries({}, optional={"expected": st.sampled_from([["nginx"], ["nginx", "mysqld"]])}),
    "packages": st.fixed_dictionaries({"without": st.sampled_from([["a"], ["a", "b"]])}),
}
_HOSTS = st.dictionaries(
    st.sampled_from([f"web{number}" for number in range(1, 6)]),
    st.fixed_dictionaries({}, optional=_CHAPTERS),
    min_size=1,
)


@given(_HOSTS)
def test_each_host_gets_its_own_settings_again(hosts: dict[str, dict[str, Any]]) -> None:
    split = factored(hosts)
    common = Hardening.model_validate(split.common)
    for name, chapters in hosts.items():
        entry: HostEntry = HostSettings.model_validate({"address": "192.0.2.1", **split.own.get(name, {})})
        assert common.on(entry) == Hardening.model_validate(chapters)


def test_one_host_that_differs_does_not_make_the_others_repeat_themselves() -> None:
    usual = {"permitRootLogin": "yes", "settings": {"MaxAuthTries": 3}}
    hosts: dict[str, dict[str, Any]] = {f"web{number}": {"sshd": usual} for number in range(50)}
    hosts["web7"] = {"sshd": {"permitRootLogin": "prohibit-password"}}
    split = factored(hosts)
    assert split.common == {"sshd": usual}
    assert split.own == {"web7": {"sshd": {"permitRootLogin": "prohibit-password", "settings": {}}}}


def test_a_host_without_a_chapter_says_so() -> None:
    hosts: dict[str, dict[str, Any]] = {f"web{number}": {"timeSync": {"daemon": "chrony"}} for number in range(5)}
    hosts["web3"] = {}
    split = factored(hosts)
    assert split.own == {"web3": {"timeSync": False}}


def test_one_host_has_no_settings_of_its_own() -> None:
    chapters = {"sshd": {"permitRootLogin": "yes"}, "users": [{"name": "alice"}], "listeners": {}}
    assert factored({"web1": chapters}).common == chapters
    assert factored({"web1": chapters}).own == {}

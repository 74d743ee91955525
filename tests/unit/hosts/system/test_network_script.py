"""The addresses and routes that a host shows."""

import pytest

from hosts.scripts import script
from hosts.shell import Script
from tests.shell_room import Stage

RULES = "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default \n"
BODY = script("hosts/system/network.sh") + 'show_network "$family"\n'


def shown(stage: Stage, family: str = "ipv4") -> dict[str, str]:
    """Return the sections."""
    answer = stage.one(Script("look", BODY, {"family": family}))
    assert answer.status == 0, answer.stderr
    return {name: answer.sections[name] for name in ("addresses", "routes", "forwards")}


def ip(stage: Stage, rules: str = RULES, routes: int = 1, status: int = 0) -> None:
    """An ip(8) with these rules, so many routes, and this status for addresses."""
    stage.write("/run/rules", rules)
    stage.write("/run/routes", "".join(f"10.0.{n // 256}.{n % 256} dev eth0\n" for n in range(routes)))
    stage.program(
        "ip",
        f"case $* in *addr) echo '2: eth0'; exit {status} ;; *rule) cat /run/rules ;; *route) cat /run/routes ;; esac",
    )


@pytest.mark.parametrize(("family", "word"), [("ipv4", "-4"), ("ipv6", "-6")])
def test_addresses_and_the_familys_routes(stage: Stage, family: str, word: str) -> None:
    ip(stage)
    found = shown(stage, family)
    assert (found["addresses"], found["routes"]) == ("2: eth0\n", "10.0.0.0 dev eth0\n")
    assert [call.arguments for call in stage.calls("ip")][1:] == [(word, "rule"), (word, "route")]


def test_an_ip_that_fails_is_no_failure(stage: Stage) -> None:
    ip(stage, status=1)
    assert shown(stage)["routes"] == "10.0.0.0 dev eth0\n"


@pytest.mark.parametrize(("routes", "known"), [(2000, True), (2001, False)])
def test_thousands_of_routes_are_not_shown(stage: Stage, routes: int, known: bool) -> None:
    ip(stage, routes=routes)
    assert bool(shown(stage)["routes"]) is known


def test_routes_of_other_tables_are_not_known(stage: Stage) -> None:
    ip(stage, rules=RULES + "100:\tfrom 192.0.2.0/24 lookup vpn\n")
    assert shown(stage)["routes"] == ""

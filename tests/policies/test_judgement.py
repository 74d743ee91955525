"""Cases other than right or wrong: doubts, unknown values, secrets, waivers, invalid configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .analyzer import DYNAMIC, UNKNOWN, Declared, Pack, Told, only, ruleset, running_pack, secret
from .cases import ADMIN, ED25519, V4, V6, hardened, resource, with_first

GEOIP = "-m geoip --source-country DE"


def test_a_match_that_nobody_knows_is_a_violation_that_says_what_to_write_or_waive(pack: Pack) -> None:
    doubtful = ruleset(with_first(V4, f"-A INPUT {GEOIP} -j ACCEPT"))
    told = only(pack.analyze(doubtful), "default-deny-ipv4", "exposure-allowed")
    mending = (
        "it depends on rule 1: -m geoip --source-country DE. Write the rule with matches that Stockade knows, or "
        'check it yourself and add "-m geoip --source-country DE" to waivedMatches.'
    )
    assert told == [
        Told("default-deny-ipv4", f"web1: cannot tell whether INPUT is default-deny for IPv4: {mending}"),
        Told("exposure-allowed", f"web1: cannot tell whether everything from anywhere can be reached: {mending}"),
    ]
    waived = {"waivedMatches": [GEOIP]}
    pack.configure({"default-deny-ipv4": waived, "exposure-allowed": waived})
    assert only(pack.analyze(doubtful), "default-deny-ipv4", "exposure-allowed") == []
    pack.configure({"default-deny-ipv4": {"waivedMatches": ["-m geoip --source-country FR"]}})
    assert len(only(pack.analyze(doubtful), "default-deny-ipv4")) == 1


def test_what_denies_surely_is_not_in_doubt(pack: Pack) -> None:
    assert only(pack.analyze(ruleset(with_first(V4, f"-A INPUT {GEOIP} -j DROP"))), "default-deny-ipv4") == []


def test_unknown_rules_are_not_passed(pack: Pack) -> None:
    told = pack.analyze(ruleset(UNKNOWN))
    assert (
        Told(
            "default-deny-ipv4",
            "can't run policy 'default-deny-ipv4' from policy pack 'stockade@v0.1.0' during preview: cannot tell yet: "
            "web1: rules is known only in `pulumi up`, which decides then",
            mandatory=False,
        )
        in told
    )
    assert {one.policy for one in told} >= {"exposure-allowed", "no-dead-rules", "replies-accepted"}


def test_what_is_known_is_decided_beside_what_is_not(pack: Pack) -> None:
    told = pack.analyze_stack(ruleset(V4, host="db1"), ruleset(V4, host="web1"), ruleset(V6, UNKNOWN, host="web1"))
    assert [one.message.partition(": ")[0] for one in only(told, "both-families") if one.mandatory] == ["db1"]
    assert [one.message for one in only(told, "both-families") if not one.mandatory] == [
        "can't run policy 'both-families' from policy pack 'stockade@v0.1.0' during preview: cannot tell yet: "
        "web1: family is known only in `pulumi up`, which decides then"
    ]


def test_a_key_that_is_made_in_the_same_run_is_judged_later_and_the_others_now(pack: Pack) -> None:
    weak = ED25519.replace("ssh-ed25519", "ssh-dss")
    told = only(pack.analyze(resource("LimitedUser", name="deploy", keys=[UNKNOWN, weak])), "strong-keys")
    assert [one.mandatory for one in told] == [True, False]
    assert "cannot tell yet: web1: a key of deploy is known only in `pulumi up`" in told[1].message


def test_what_listens_is_seen_in_up(pack: Pack) -> None:
    told = only(pack.analyze_stack(resource("Listeners")), "listeners-expected")
    assert [(one.mandatory, one.message.partition("preview: ")[2]) for one in told] == [
        (False, "cannot tell yet: web1: what listens is seen only in `pulumi up`, which decides then")
    ]


def test_secrets_are_judged_and_not_told(pack: Pack) -> None:
    login = {"admin": {"host": "198.51.100.7", "user": "deploy", "privateKey": secret("TOP SECRET")}}
    user = resource("LimitedUser", name="deploy", password=secret("TOP SECRET"), sudo="password", keys=[])
    shut = ruleset(secret(":INPUT DROP"), connection=login)
    told = [*pack.analyze(shut), *pack.analyze(user), *pack.analyze_stack(shut, user)]
    assert {"replies-accepted", "way-in", "limited-user"} <= {one.policy for one in told}
    assert "TOP SECRET" not in str(told)


def test_a_forgotten_host_is_found() -> None:
    hosts = {"web1": {"address": "198.51.100.7"}, "db1": {"address": "198.51.100.8"}}
    config = {"stockade:hosts": json.dumps(hosts)}
    environment = {"PULUMI_PROJECT": "stockade", "PULUMI_STACK": "test", "PULUMI_DRY_RUN": "true"}
    with running_pack({**environment, "PULUMI_CONFIG": json.dumps(config)}) as pack:
        told = pack.analyze_stack(hardened("web1"), ruleset(V4), ruleset(V6, "ipv6"))
    assert [one.message.partition(". ")[0] for one in only(told, "both-families")] == [
        "db1: nothing filters IPv4 and IPv6"
    ]
    assert [one.message.partition(":")[0] for one in only(told, "limited-user")] == ["db1", "web1"]


def test_a_shard_answers_for_its_own_hosts(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yaml"
    inventory.write_text("web1: {shard: 3}\ndb1: {shard: 3}\nweb2: {shard: 4}\n")
    config = {"stockade:inventory": str(inventory), "stockade:shard": '{"of": 4}'}
    environment = {"PULUMI_PROJECT": "stockade", "PULUMI_STACK": "production-03", "PULUMI_DRY_RUN": "true"}
    with running_pack({**environment, "PULUMI_CONFIG": json.dumps(config)}) as pack:
        told = pack.analyze_stack(hardened("web1"), ruleset(V4), ruleset(V6, "ipv6"))
    assert [one.message.partition(":")[0] for one in only(told, "limited-user")] == ["db1", "web1"]


LOGINS = {"admin": {"user": "deploy"}, "bootstrap": {"user": "root", "port": 22}}


@pytest.mark.parametrize(
    ("hosts", "defaults", "port"),
    [
        ({"web1": {"address": "198.51.100.7", "port": 2222, **LOGINS}}, {}, 2222),
        ({"web1": {"address": "198.51.100.7", "admin": {"port": 2222}}}, LOGINS, 2222),
        ({"web1": {"address": "198.51.100.7"}}, {**LOGINS, "port": 2222}, 2222),
        ({"web1": {"address": "198.51.100.7", "bootstrap": {}}}, {"port": 2222}, 2222),
        ({"web1": {"address": "198.51.100.7", "admin": {}}}, {"bootstrap": {"port": 2222}}, 22),
    ],
)
def test_the_way_that_the_stack_config_tells(hosts: dict[str, Any], defaults: dict[str, Any], port: int) -> None:
    config = {"stockade:hosts": json.dumps(hosts), "stockade:defaults": json.dumps(defaults)}
    environment = {"PULUMI_PROJECT": "stockade", "PULUMI_STACK": "test", "PULUMI_DRY_RUN": "true"}
    with running_pack({**environment, "PULUMI_CONFIG": json.dumps(config)}) as pack:
        told = only(pack.analyze_stack(ruleset(V4.replace("--dport 22 ", "--dport 1 "))), "way-in")
        assert [one.message.partition(" over ")[0] for one in told] == [
            f"web1: nobody can connect to SSH on port {port}"
        ]
        assert only(pack.analyze_stack(ruleset(V4.replace("--dport 22 ", f"--dport {port} "))), "way-in") == []


def test_hosts_with_a_secret_among_them_are_read_from_the_file() -> None:
    """No engine passes them to a pack, but their addresses are in plain text anyway."""
    environment = {"PULUMI_PROJECT": "stockade", "PULUMI_STACK": "staging", "PULUMI_DRY_RUN": "true"}
    with running_pack({**environment, "PULUMI_CONFIG": "{}"}) as pack:
        told = pack.analyze_stack(
            hardened("web1"), ruleset(V4.replace("--dport 22 ", "--dport 1 ")), ruleset(V6, "ipv6")
        )
    assert [one.message.partition(" over ")[0] for one in only(told, "way-in")] == [
        "web1: nobody can connect to SSH on port 22"
    ]
    assert [one.message.partition(". ")[0] for one in only(told, "both-families")] == [
        "web2: nothing filters IPv4 and IPv6"
    ]


def test_a_waiver_is_for_one_host_and_has_a_reason(pack: Pack) -> None:
    pack.configure({"both-families": {"waivedHosts": {"db1": "it is in a lab without IPv6"}}})
    told = pack.analyze_stack(ruleset(V4, host="db1"), ruleset(V4))
    assert [one.message.partition(":")[0] for one in only(told, "both-families")] == ["web1"]
    pack.configure({"both-families": {"waivedHosts": {"db1": ""}}})
    told = only(pack.analyze_stack(ruleset(V4, host="db1")), "both-families")
    assert told[0].message == ("the policy configuration is wrong: both-families: waivedHosts.db1 must not be empty")
    assert [one.message.partition(":")[0] for one in told[1:]] == ["db1"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"sshSource": []},
            "no setting is named sshSource; there are allowedExposure, allowedOnHosts, sshSources, sshPorts, "
            "waivedMatches, waivedHosts",
        ),
        ({"sshPorts": ["ssh"]}, "sshPorts[0] must be of type integer"),
        ({"allowedExposure": "tcp/80"}, "allowedExposure must be of type array"),
        (
            {"allowedExposure": ["tcp/80"]},
            "'tcp/80' is not a line of exposure, as `tcp/443 from anywhere` is",
        ),
    ],
)
def test_a_wrong_configuration_is_a_violation(pack: Pack, config: dict[str, object], message: str) -> None:
    pack.configure({"exposure-allowed": config})
    told = only(pack.analyze(ruleset(V4)), "exposure-allowed")
    assert told == [Told("exposure-allowed", _prefixed(message, config))]


def _prefixed(message: str, config: dict[str, object]) -> str:
    host = "web1: " if config == {"allowedExposure": ["tcp/80"]} else ""
    return f"{host}the policy configuration is wrong: exposure-allowed: {message}"


def test_what_an_environment_allows(pack: Pack) -> None:
    rules = ruleset(
        with_first(
            V4.replace("-A INPUT -p tcp --dport 22", "-A INPUT -s 192.0.2.0/24 -p tcp --dport 22"),
            "-A INPUT -p tcp --dport 9100 -s 10.1.2.3 -j ACCEPT",
            "-A INPUT -p udp --dport 5000:5010 -m iprange --src-range 10.0.0.1-10.0.0.9 -j ACCEPT",
        )
    )
    allowed = ["icmp/echo-request from anywhere", "tcp/80 from anywhere", "tcp/443 from anywhere"]
    more = ["tcp/9100 from 10.1.0.0/16, 2001:db8::/32", "udp/5000-5010 from 10.0.0.1-10.0.0.9"]
    pack.configure({"exposure-allowed": {"allowed_exposure": allowed + more, "ssh_sources": ["192.0.2.0/25"]}})
    assert only(pack.analyze(rules), "exposure-allowed") == [
        Told(
            "exposure-allowed",
            "web1: tcp/22 from 192.0.2.128/25 can be reached and must not be. Narrow `sshSources` under "
            "`stockade:firewall`, or add the sources to sshSources.",
        )
    ]
    pack.configure({"exposure-allowed": {"allowedExposure": allowed + more[:1], "sshSources": ["192.0.2.0/24"]}})
    assert [one.message.partition(". ")[0] for one in only(pack.analyze(rules), "exposure-allowed")] == [
        "web1: udp/5000-5010 from 10.0.0.1-10.0.0.9 can be reached and must not be"
    ]


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("-A INPUT -p tcp --dport https -j NOWHERE", "NOWHERE is neither a target nor a chain"),
        (":A - [0:0]\n:B - [0:0]\n-A INPUT -j A\n-A A -j B\n-A B -j A", "chains in a loop"),
    ],
)
def test_what_cannot_be_read_is_not_passed(pack: Pack, rules: str, why: str) -> None:
    broken = ruleset(rules, connection={"host": "198.51.100.7"})
    told = [*pack.analyze(broken), *pack.analyze_stack(broken)]
    assert {"default-deny-ipv4", "way-in"} <= {one.policy for one in told if "this cannot be decided: " in one.message}
    assert why in told[0].message


def test_who_may_reach_everything_is_configurable(pack: Pack) -> None:
    office = ruleset(with_first(V4, "-A INPUT -s 192.0.2.0/28 -j ACCEPT"))
    assert only(pack.analyze(office), "default-deny-ipv4") == []
    pack.configure({"default-deny-ipv4": {"ipv4Addresses": 8}})
    told = only(pack.analyze(office), "default-deny-ipv4")
    assert [one.message.partition(". ")[0] for one in told] == [
        "web1: INPUT is not default-deny for IPv4: everything from 192.0.2.0/28 can be reached"
    ]
    pack.configure({"default-deny-ipv4": {"ipv4Addresses": 8, "privateNetworks": ["192.0.2.0/24"]}})
    assert only(pack.analyze(office), "default-deny-ipv4") == []


def test_a_log_that_anybody_can_fill_and_a_chain_that_logs_nothing(pack: Pack) -> None:
    pack.configure({"denied-logged": {"chains": ["INPUT", "FORWARD"]}})
    rules = V4.replace("-A INPUT -m limit --limit 5/min -j LOG", "-A INPUT -j LOG")
    rules = "\n".join(line for line in rules.splitlines() if "FORWARD_denied" not in line)
    told = [one.message.partition(": ")[2] for one in only(pack.analyze(ruleset(rules)), "denied-logged")]
    assert told == [
        "what FORWARD denies is not logged. Add `-A FORWARD -m limit --limit 5/min -j LOG --log-prefix "
        '"iptables_FORWARD_denied: " --log-level 7` above the rule that denies, or set `log: true` under '
        "`stockade:firewall`.",
        "rule 8 of INPUT logs without a limit, so anybody can fill the disk: -A INPUT -j LOG --log-prefix "
        '"iptables_INPUT_denied: " --log-level 7. Add `-m limit --limit 5/min` to it.',
    ]


def test_an_environment_that_wants_less_icmpv6(pack: Pack) -> None:
    quiet = "\n".join(line for line in V6.splitlines() if "--icmpv6-type 128 " not in line)
    assert [one.message[:49] for one in only(pack.analyze(ruleset(quiet, "ipv6")), "icmpv6-accepted")] == [
        "web1: ICMPv6 echo-request (128) does not get in. "
    ]
    pack.configure({"icmpv6-accepted": {"types": [1, 2, 3, 4, 134, 135, 136]}})
    assert only(pack.analyze(ruleset(quiet, "ipv6")), "icmpv6-accepted") == []


@pytest.mark.parametrize("kind", [1, 2, 3, 4, *range(128, 137), 141, 142, 143, 148, 149, 151, 152, 153])
def test_what_ipv6_itself_needs_is_always_allowed(pack: Pack, kind: int) -> None:
    pack.configure({})
    opened = with_first(V6, f"-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j ACCEPT")
    assert not [
        one for one in only(pack.analyze(ruleset(opened, "ipv6")), "exposure-allowed") if "icmpv6" in one.message
    ]


def test_three_of_those_who_reach_everything_are_named(pack: Pack) -> None:
    pack.configure({})
    nets = [f"{number}.0.0.0/8" for number in (11, 13, 15, 17, 19)]
    opened = V4
    for net in reversed(nets):
        opened = with_first(opened, f"-A INPUT -s {net} -j ACCEPT")
    (told,) = only(pack.analyze(ruleset(opened)), "default-deny-ipv4")
    named = ", ".join(f"everything from {net}" for net in nets[:3])
    assert told.message.startswith(f"web1: INPUT is not default-deny for IPv4: {named} can be reached. ")


def test_a_blocked_source_is_no_lost_reply(pack: Pack) -> None:
    blocked = with_first(V4, "-A INPUT -s 192.0.2.0/24 -j DROP")
    assert only(pack.analyze(ruleset(blocked)), "replies-accepted", "no-dead-rules") == []


def test_long_lists_are_cut(pack: Pack) -> None:
    opened = [f"-A INPUT -p tcp --dport {port} -j ACCEPT" for port in range(9000, 9040, 2)]
    (told,) = only(pack.analyze(ruleset(with_first(V4, *opened))), "exposure-allowed")
    assert "tcp/9018 from anywhere and 10 more can be reached and must not be." in told.message
    assert told.message.endswith("or add those that are meant to allowedExposure.")


def test_a_host_may_serve_what_others_may_not(pack: Pack) -> None:
    rules = with_first(V4, "-A INPUT -p tcp --dport 5432 -s 10.0.0.7 -j ACCEPT")
    pack.configure({"exposure-allowed": {"allowedOnHosts": {"db1": ["tcp/5432 from 10.0.0.0/24"]}}})
    assert only(pack.analyze(ruleset(rules, host="db1")), "exposure-allowed") == []
    told = only(pack.analyze(ruleset(rules, host="web1")), "exposure-allowed")
    assert [one.message.partition(". ")[0] for one in told] == [
        "web1: tcp/5432 from 10.0.0.7 can be reached and must not be"
    ]


def test_administrators_everywhere_get_in(pack: Pack) -> None:
    login = {"admin": {"host": "198.51.100.7", "user": "deploy"}}
    narrow = V4.replace("-A INPUT -p tcp --dport 22", "-A INPUT -s 192.0.2.0/24 -p tcp --dport 22")
    pack.configure({"way-in": {"adminSources": ["192.0.2.0/25", "2001:db8::/32"]}})
    assert only(pack.analyze_stack(ruleset(narrow, connection=login)), "way-in") == []
    pack.configure({"way-in": {"adminSources": ["192.0.2.0/25", "198.51.100.0/24"]}})
    told = only(pack.analyze_stack(ruleset(narrow, connection=login)), "way-in")
    assert [one.message for one in told] == [
        "web1: not everybody in 198.51.100.0/24 can connect to SSH on port 22 over IPv4. Add `-A INPUT -p tcp "
        "--dport 22 -j ACCEPT` above the rule that denies."
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT\n", ""), "nobody keeps a connection open to"),
        (("*filter\n", "*filter\n-A OUTPUT -p tcp --sport 22 -j DROP\n"), "nobody gets an answer from"),
    ],
)
def test_a_connection_needs_more_than_its_first_packet(pack: Pack, change: tuple[str, str], words: str) -> None:
    login = {"host": "198.51.100.7", "user": "root"}
    told = only(pack.analyze_stack(ruleset(V4.replace(*change), connection=login)), "way-in")
    assert [one.message.partition(" SSH")[0] for one in told] == [f"web1: {words}"]


def test_a_login_by_name_needs_one_family(pack: Pack) -> None:
    login = {"admin": {"host": "web1.example.net", "user": "deploy"}}
    v6_only = [ruleset(":INPUT DROP", connection=login), ruleset(V6, "ipv6", connection=login)]
    assert only(pack.analyze_stack(*v6_only), "way-in") == []
    neither = [ruleset(":INPUT DROP", connection=login), ruleset(":INPUT DROP", "ipv6", connection=login)]
    assert len(only(pack.analyze_stack(*neither), "way-in")) == 1


def test_other_resources_are_left_alone(pack: Pack) -> None:
    assert pack.analyze(Declared("aws:s3/bucket:Bucket", "b", {"rules": ":INPUT ACCEPT"})) == []
    assert pack.analyze(Declared(f"{DYNAMIC}TimeSync", "t", {"host": "web1"})) == []


def test_the_login_of_a_machine_that_is_made_in_the_same_run(pack: Pack) -> None:
    login = {"admin": {**ADMIN["admin"], "host": UNKNOWN}}
    told = only(pack.analyze_stack(ruleset(V4, connection=login)), "way-in")
    assert [(one.mandatory, one.message.partition("yet: ")[2]) for one in told] == [
        (False, "web1: connection.admin.host is known only in `pulumi up`, which decides then")
    ]


def test_a_name_that_takes_others_along_is_enough(pack: Pack) -> None:
    pack.configure({})
    for name in ("exim4", "mail-transport-agent"):
        assert only(pack.analyze_stack(resource("Packages", absent=[name, "rpcbind"])), "unwanted-absent") == []

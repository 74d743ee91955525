"""Summaries of many stacks, from the engines' events."""

from __future__ import annotations

from typing import Any

from pulumi.automation.events import EngineEvent

from fleet.outcome import Events, StackOutcome, Status
from fleet.summary import differences, failures, in_order, summary

URN = "urn:pulumi:p-02::stockade::stockade:index:HardenedHost$pulumi-python:dynamic/stockade:Packages::web7"
RULESET = "pulumi-python:dynamic/stockade:Ruleset"


def _ended(*events: dict[str, object], stack: str = "p-02", status: Status = Status.FAILED) -> StackOutcome:
    collected = Events()
    for event in events:
        collected.add(EngineEvent.from_json(event))
    return collected.outcome(stack, status, 1.26, f"Updating\nerror: no stack named '{stack}' found\n")


def _message(text: str, **more: str) -> dict[str, object]:
    return {"diagnosticEvent": {"message": text, "severity": "error", "urn": URN, **more}}


def _urn(resource: str, kind: str = RULESET) -> str:
    return f"urn:pulumi:p::stockade::stockade:index:HardenedHost${kind}::{resource}"


def _step(event: str, operation: str, host: str, resource: str = "") -> dict[str, object]:
    urn = _urn(resource or f"{host}-ipv4")
    state = {"type": RULESET, "urn": urn, "inputs": {"host": host}}
    return {event: {"metadata": {"op": operation, "urn": urn, "type": RULESET, "new": state}}}


def _broken(host: str, resource: str, text: str, **more: Any) -> dict[str, object]:
    message = f"Nothing can be reached.\n{host}: {text}"
    event = {"message": message, "policyName": "exposure-allowed", "resourceUrn": _urn(resource)}
    event["policyPackName"] = "stockade"
    return {"policyEvent": {**event, "enforcementLevel": "mandatory", **more}}


def test_stacks_failures_and_a_total() -> None:
    done = StackOutcome("p-01", Status.DONE, 12.0, {"create": 2, "update": 1}, 40)
    failed = _ended(
        {"summaryEvent": {"resourceChanges": {"same": 3, "update": 1}}},
        _message("<{%fg 1%}>web7: packages: dpkg is in use<{%reset%}>\nwait for it to end"),
        _message("web7: packages: dpkg is in use\nwait for it to end"),
        _message("update failed", urn="urn:pulumi:p-02::stockade::pulumi:pulumi:Stack::stockade-p-02"),
        _message("a warning", severity="warning"),
    )
    assert summary([done, failed, StackOutcome("p-03", Status.NOT_RUN)], 13.0, would=False).splitlines() == [
        "p-01     12.0 s  2 created, 1 updated, 40 unchanged",
        "p-02      1.3 s  FAILED  1 updated, 3 unchanged",
        "p-03      0.0 s  NOT RUN",
        "",
        "p-02:",
        "  web7: packages: dpkg is in use",
        "    wait for it to end",
        "",
        "3 stacks: 1 done, 1 failed, 1 not run; 2 created, 2 updated; 13.0 s",
    ]


def test_a_failed_stack_has_not_simply_no_changes() -> None:
    told = summary([_ended(_message("web7: no")), StackOutcome("p-01", Status.DONE)], 2.0, would=False)
    assert "p-02      1.3 s  FAILED\n" in told
    assert "p-01      0.0 s  no changes, 0 unchanged\n" in told
    assert told.endswith("2 stacks: 1 done, 1 failed; 2.0 s")


def test_a_broken_policy_is_a_failure_and_advice_is_none() -> None:
    broken = {"message": "tcp/8443 can be reached", "policyName": "exposure-allowed", "resourceUrn": URN}
    told = _ended(
        {"policyEvent": {**broken, "enforcementLevel": "mandatory"}},
        {"policyEvent": {**broken, "policyName": "other", "enforcementLevel": "advisory"}},
    )
    assert told.failures == (("web7", "exposure-allowed: tcp/8443 can be reached"),)
    assert told.advice == (("web7", "other: tcp/8443 can be reached"),)


def test_what_failed_before_anything_was_told_is_the_engines_own_error() -> None:
    assert _ended().failures == (("", "no stack named 'p-02' found"),)


def test_a_violation_of_many_hosts_is_told_once() -> None:
    outcomes = [
        _ended(
            *(_step("resOutputsEvent", "create", f"web{number}") for number in numbers),
            *(
                _broken(f"web{number}", f"web{number}-ipv{family}", "tcp/8443 can be reached. Take it away.")
                for number in numbers
                for family in (4, 6)
            ),
            *([_broken("web3", "web3-ipv4", "tcp/9000 can be reached. Take it away.")] if 3 in numbers else []),
            stack=stack,
        )
        for stack, numbers in (("p-01", range(1, 4)), ("p-02", range(4, 17)))
    ]
    assert failures(outcomes) == [
        "2 stacks (p-01, p-02):",
        "  16 hosts: exposure-allowed: tcp/8443 can be reached. Take it away.",
        "    web1, web2, web3, web4, web5, web6, web7, web8, web9, web10, web11, web12 and 4 more",
        "\np-01:",
        "  web3: exposure-allowed: tcp/9000 can be reached. Take it away.",
    ]


def test_a_host_that_is_down_is_one_line_and_several_are_too() -> None:
    def down(host: str, stack: str) -> StackOutcome:
        parts = (
            "packages",
            "sshd",
            "fail2ban",
            "firewall ipv4",
            "firewall ipv6",
            "updates",
            "user deploy",
            "listeners",
        )
        cause = f"cannot connect to deploy@198.51.100.{host[3:]} (tried for 60 s): Connection timed out"
        return _ended(
            *(_step("resOpFailedEvent", "refresh", host, f"{host}-{part}") for part in parts),
            *(_message(f"{host}: {part}: {cause}", urn=_urn(f"{host}-{part}")) for part in parts),
            stack=stack,
        )

    assert failures([down("web7", "p-01")]) == [
        "p-01:",
        "  web7: cannot connect to deploy@198.51.100.7 (tried for 60 s): Connection timed out",
        "    (8 resources: packages, sshd, fail2ban, firewall ipv4, firewall ipv6, updates, user deploy, listeners)",
    ]
    assert failures([down("web7", "p-01"), down("web8", "p-02")])[:3] == [
        "2 stacks (p-01, p-02):",
        "  2 hosts: cannot connect to deploy@…: Connection timed out",
        "    (8 resources: packages, sshd, fail2ban, firewall ipv4, firewall ipv6, updates, user deploy, listeners)",
    ]


def test_what_differs_names_hosts_changes_before_creations() -> None:
    outcome = _ended(
        _step("resOutputsEvent", "create", "web10"),
        _step("resOutputsEvent", "same", "web1"),
        *(_step("resOutputsEvent", "update", host) for host in ("web10", "web9", "web2")),
        *(_step("resOutputsEvent", "create", host) for host in ("db1",)),
        status=Status.DONE,
    )
    assert differences([outcome], would=True) == [
        "Ruleset to update: 3 hosts: web2, web9, web10",
        "Ruleset to create: db1",
    ]
    assert in_order(["web10", "db1", "web9"]) == ["db1", "web9", "web10"]
    assert summary([outcome], 1.0, would=True, remarks=["run `up --refresh`"]).splitlines()[-3:-1] == [
        "run `up --refresh`",
        "",
    ]


def test_shards_with_one_broken_config_say_it_once() -> None:
    outcomes = [
        _ended(
            {
                "diagnosticEvent": {
                    "message": f"stacks/Pulumi.{stack}.yaml is not valid:\n  stockade:hosts.web1.prot: no such setting",
                    "severity": "error",
                }
            },
            stack=stack,
        )
        for stack in ("p-01", "p-02")
    ]
    assert failures(outcomes) == [
        "2 stacks (p-01, p-02):",
        "  stacks/Pulumi.p-NN.yaml is not valid:",
        "      stockade:hosts.web1.prot: no such setting",
    ]

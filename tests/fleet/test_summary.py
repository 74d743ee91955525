"""What is told of many stacks, from the engines' events."""

from __future__ import annotations

from pulumi.automation.events import EngineEvent

from fleet.outcome import Events, Outcome, Status, summary

URN = "urn:pulumi:p-02::stockade::stockade:index:HardenedHost$pulumi-python:dynamic/stockade:Packages::web7"


def _failed(*events: dict[str, object]) -> Outcome:
    collected = Events()
    for event in events:
        collected.add(EngineEvent.from_json(event))
    return collected.outcome("p-02", Status.FAILED, 1.26, "Updating\nerror: no stack named 'p-02' found\n")


def _message(text: str, **more: str) -> dict[str, object]:
    return {"diagnosticEvent": {"message": text, "severity": "error", "urn": URN, **more}}


def test_stacks_failures_and_a_total() -> None:
    done = Outcome("p-01", Status.DONE, 12.0, {"create": 2, "update": 1}, 40)
    failed = _failed(
        {"summaryEvent": {"resourceChanges": {"same": 3, "update": 1}}},
        _message("<{%fg 1%}>web7: packages: dpkg is in use<{%reset%}>\nwait for it to end"),
        _message("web7: packages: dpkg is in use\nwait for it to end"),
        _message("update failed", urn="urn:pulumi:p-02::stockade::pulumi:pulumi:Stack::stockade-p-02"),
        _message("a warning", severity="warning"),
    )
    assert summary([done, failed, Outcome("p-03", Status.NOT_RUN)], 13.0, would=False).splitlines() == [
        "p-01     12.0 s  2 created, 1 updated, 40 unchanged",
        "p-02      1.3 s  FAILED  1 updated, 3 unchanged",
        "p-03      0.0 s  NOT RUN  no changes, 0 unchanged",
        "",
        "p-02:",
        "  web7: packages: dpkg is in use",
        "    wait for it to end",
        "",
        "3 stacks: 1 done, 1 failed, 1 not run; 2 created, 2 updated; 13.0 s",
    ]


def test_a_broken_policy_is_a_failure_and_advice_is_none() -> None:
    broken = {"message": "tcp/8443 can be reached", "policyName": "exposure-allowed", "resourceUrn": URN}
    told = _failed(
        {"policyEvent": {**broken, "enforcementLevel": "mandatory"}},
        {"policyEvent": {**broken, "policyName": "other", "enforcementLevel": "advisory"}},
    )
    assert told.failures == (("web7", "exposure-allowed: tcp/8443 can be reached"),)


def test_what_failed_before_anything_was_told_is_the_engines_own_error() -> None:
    assert _failed().failures == (("", "no stack named 'p-02' found"),)

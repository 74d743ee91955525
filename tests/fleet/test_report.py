"""Reports of a fleet's run: the most important comes first, and omissions are mentioned."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fleet.blocks import blocks, marked
from fleet.environment import FleetError
from fleet.outcome import ResourceChange, StackOutcome, Status
from fleet.report import LIMIT, Result, as_json, failed_in, junit, markdown

URN = "urn:pulumi:p::stockade::stockade:index:HardenedHost$pulumi-python:dynamic/stockade"


def _created(kind: str, host: str) -> str:
    return "\n".join(
        (
            f"    + pulumi-python:dynamic/stockade:{kind}: (create)",
            f"        [urn={URN}:{kind}::{host}]",
            *(f'        property{number}: "value"' for number in range(8)),
        )
    )


def _updated(host: str, port: int = 8080) -> str:
    return "\n".join(
        (
            "    ~ pulumi-python:dynamic/stockade:Ruleset: (update)",
            f"        [urn={URN}:Ruleset::{host}-ipv4]",
            "      ~ rules:",
            "            -A INPUT -j ACCEPT",
            f"          + -A INPUT -p tcp --dport {port} -j ACCEPT",
        )
    )


def _result(output: str, *failures: tuple[str, str], **more: object) -> Result:
    status = Status.FAILED if failures else Status.DONE
    changes = {"create": output.count("(create)"), "update": output.count("(update)")}
    outcome = StackOutcome("lab", status, 2.0, changes, 3, failures, output, hosts={"web1": "web1"})
    return Result("lab", "preview", [outcome], 2.0, would=True, **more)  # type: ignore[arg-type]


def test_violations_and_totals_come_first_and_survive_whatever_follows() -> None:
    many = [_created(kind, f"new{number}") for number in range(200) for kind in ("Packages", "Sshd")]
    few = [_updated(f"web{number}") for number in range(1, 5)]
    violations = [(f"web{number}", f"exposure-allowed: web{number}: tcp/8443 can be reached.") for number in range(16)]
    output = "\n".join(
        ["Previewing update (lab):", *many, *few, "Resources:", "    + 400 to create", "error: preview failed"]
    )
    assert len(output) > 2 * LIMIT
    text = markdown(_result(output, *violations))
    assert len(text) <= LIMIT
    assert text.startswith("### lab: **the preview failed**\n\n1 stack: 1 failed; 400 to create, 4 to update; 2.0 s\n")
    assert "exposure-allowed: tcp/8443 can be reached." in text[:500]
    for number in range(1, 5):
        assert f"::web{number}-ipv4]" in text
    assert "+ 400 to create, not shown here line by line: 200 Packages, 200 Sshd" in text
    assert text.count("\n+          -A INPUT -p tcp --dport 8080 -j ACCEPT\n") == 4
    assert text.count("```") % 2 == 0


def test_what_is_left_out_is_said() -> None:
    changes = "\n".join(_updated(f"web{number}") for number in range(2000))
    text = markdown(_result(changes))
    assert len(text) <= LIMIT
    left = re.search(r"^and (\d+) more$", text, re.M)
    assert left
    assert int(left[1]) + text.count(": all of it\n") + text.count("(update)") == 2000
    long = markdown(_result("", *((f"h{number}", f"h{number}: it is {number} times broken") for number in range(5000))))
    assert len(long) <= LIMIT
    assert re.search(r"^failures: \d+ lines of 5001$", long, re.M)
    assert "**Not all of it is shown here: the log has all of it.**" in long[:400]
    assert long.count("```") % 2 == 0
    assert "the error: 1 line of 1" in markdown(Result("lab", "preview", error="x" * 2 * LIMIT))


def test_little_is_shown_whole_changes_before_creations() -> None:
    text = markdown(_result(f"{_created('Packages', 'web2')}\n{_updated('web1')}\n"))
    assert text.index("(update)") < text.index("(create)")
    assert "not shown" not in text
    assert "\n!    pulumi-python:dynamic/stockade:Ruleset: (update)\n" in text
    assert "\n+    pulumi-python:dynamic/stockade:Packages: (create)\n" in text


def test_both_engines_show_what_can_be_taken_apart() -> None:
    cli = "\n".join(
        (
            "  pulumi:pulumi:Stack: (same)",
            "    [urn=urn:pulumi:test::stockade::pulumi:pulumi:Stack::stockade-test]",
            "    + stockade:index:HardenedHost: (create)",
            "        [urn=urn:pulumi:test::stockade::stockade:index:HardenedHost::web1]",
            "    stockade@v0.1.0 [mandatory]  exposure-allowed  (pulumi-python:dynamic/stockade:Ruleset: web1)Nothing.",
            "web1: tcp/22 from anywhere can be reached and must not be.",
            f"        {_updated('web1').lstrip()}",
            "    --outputs:--",
            "    web1: [unknown]",
            "error: preview failed",
        )
    )
    found = [(block.kind, block.name, block.operation) for block in blocks(cli)]
    assert found == [("HardenedHost", "web1", "create"), ("Ruleset", "web1-ipv4", "update")]
    assert "mandatory" not in "".join(block.text for block in blocks(cli))
    assert marked("  +-pulumi:x:Y: (replace)\n    - a: 1") == "+-  pulumi:x:Y: (replace)\n-    a: 1"


def test_an_error_alone_is_reported(tmp_path: Path) -> None:
    result = Result("production", "up", error="stacks/Pulumi.production.yaml:3:1: not YAML ```")
    assert "Pulumi.production.yaml:3:1" in markdown(result)
    assert "````" in markdown(result)
    assert json.loads(as_json(result))["error"].startswith("stacks/")
    (error,) = ElementTree.fromstring(junit(result)).iter("error")
    assert "not YAML" in str(error.text)
    (tmp_path / "report.json").write_text(as_json(_result("", ("web1", "no"))))
    assert failed_in(tmp_path / "report.json") == {"lab"}
    (tmp_path / "other.json").write_text("[]")
    for name in ("other.json", "none.json"):
        with pytest.raises(FleetError, match=name):
            failed_in(tmp_path / name)


def test_what_xml_cannot_have_is_left_out_and_a_drifted_host_is_a_failure() -> None:
    changed = (ResourceChange("web1", "Ruleset", "web1-ipv4", "update"),)
    drifted = StackOutcome("p-01", Status.DONE, 1.0, {"update": 1}, 3, changed=changed, hosts={"a": "web1"})
    failed = StackOutcome("p-02", Status.FAILED, 1.0, failures=(("", "\x1b[31mno \x00 <stack>"),), hosts={"b": "web2"})
    homes = {"web1": "p-01", "web2": "p-02", "web3": "p-02"}
    outcomes = [drifted, failed, StackOutcome("p-03", Status.NOT_RUN)]
    suites = ElementTree.fromstring(junit(Result("p", "drift", outcomes, 1.0, homes=homes)))
    cases = {case.get("name"): [child.tag for child in case] for case in suites.iter("testcase")}
    assert cases == {"p-01": [], "web1": ["failure"], "p-02": ["failure"], "web2": [], "web3": [], "p-03": ["skipped"]}
    assert [suite.get("failures") for suite in suites] == ["1", "1", "0"]

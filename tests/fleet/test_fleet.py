"""All stacks of an environment at once, with each engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pulumi.automation.events import EngineEvent

from fleet.environment import FleetError, load
from fleet.job import StackRun
from fleet.progress import Progress, progress

from .conftest import LIMIT, Fleet, make

STACKS = ["production-01", "production-02"]


def test_from_nothing_to_nothing(fleet: Fleet) -> None:
    fleet.spec(a={}, b={"stacks": STACKS[:1]})
    shown = fleet.run("preview")
    assert shown.status == 0, shown
    assert "3 to create, 0 unchanged" in shown.out  # one of them is the stack itself
    assert "2 stacks: 2 done; 5 to create; " in shown.out
    assert not list(fleet.world.glob("a-*"))

    done = fleet.run("up")
    assert done.status == 0, done
    assert "2 stacks: 2 done; 5 created; " in done.out
    assert [fleet.resources(stack) for stack in STACKS] == [["a", "b"], ["a"]]

    again = fleet.run("up", "--parallel", "2")
    assert again.status == 0, again
    assert "2 stacks: 2 done; no changes; " in again.out

    (fleet.world / "b-0.json").write_text('{"text": "by hand"}')
    drifted = fleet.run("drift", "--diff")
    assert drifted.status == 7, drifted
    assert "2 stacks: 2 done; 1 to update; " in drifted.out
    assert "by hand" in drifted.out
    assert "Item to update: b\n" in drifted.out
    assert "restore what is declared: `stockade fleet up production --refresh --yes`" in drifted.out

    assert fleet.run("up", "--only", "1").status == 0
    assert "by hand" in (fleet.world / "b-0.json").read_text()
    back = fleet.run("up", "--only", "1", "--refresh")
    assert (back.status, "1 stack: 1 done; 1 updated; " in back.out) == (0, True), back
    assert json.loads((fleet.world / "b-0.json").read_text()) == {"text": ""}
    assert fleet.run("drift", "--only", "1").status == 0
    (fleet.world / "b-0.json").write_text('{"text": "by hand"}')

    taken = fleet.run("refresh", "--only", "1")
    assert (taken.status, "1 stack: 1 done; 1 updated; " in taken.out) == (0, True), taken
    assert fleet.run("drift", "--only", "1").status == 0
    gone = fleet.run("destroy")
    assert (gone.status, "; 5 deleted; " in gone.out) == (0, True), gone
    assert [fleet.resources(stack) for stack in STACKS] == [[], []]


def test_a_failure_names_its_stack_and_stops_no_other(fleet: Fleet) -> None:
    fleet.spec(a={}, web7={"props": {"fail": "create"}, "stacks": ["production-01"]})
    done = fleet.run("up", "--parallel-stacks", "1")
    assert done.status == 1, done
    assert "2 stacks: 1 done, 1 failed; " in done.out
    assert "\nproduction-01:\n  web7: " in done.out
    assert "web7 would not create" in done.out
    assert [fleet.resources(stack) for stack in STACKS] == [["a"], ["a"]]


def test_options_that_change_no_resource_reach_the_state(fleet: Fleet) -> None:
    for retained in (None, True):
        fleet.spec(a={"options": {"retain_on_delete": retained}})
        assert fleet.run("up", "--only", "1").status == 0
        state = (fleet.folder / ".state/.pulumi/stacks/items/production-01.json").read_text()
        assert ('"retainOnDelete"' in state) is bool(retained)


def test_no_secret_is_printed_and_one_shard_may_be_run_alone(fleet: Fleet) -> None:
    fleet.spec(a={"secret": True}, b={"secret": True, "props": {"fail": "create"}})
    for command in ("preview", "up"):
        done = fleet.run(command, "--diff", "--only", "2")
        assert "hunter2" not in done.out + done.err
        assert "[secret]" in done.out
        assert "production-01" not in done.out + done.err
    assert fleet.run("up", "--only", "4").err == "error: production has no shard 4: there are 2\n"


def test_ctrl_c_ends_what_runs_and_begins_nothing(fleet: Fleet, running: list[subprocess.Popen[str]]) -> None:
    fleet.spec(a={"props": {"slow": "create"}}, b={"from": "a"})
    process = fleet.start("up", "--parallel-stacks", "1")
    running.append(process)
    _wait_for(fleet.world / "started", process)
    process.send_signal(signal.SIGINT)
    assert process.stdout
    assert "interrupt again to end at once" in process.stdout.readline()
    (fleet.world / "go").touch()
    out, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, out
    assert "2 stacks: 1 cancelled, 1 not run; " in out
    assert fleet.resources("production-01") == ["a"]
    assert fleet.run("up").status == 0
    assert [fleet.resources(stack) for stack in STACKS] == [["a", "b"]] * 2


def _wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + LIMIT
    while not file.exists():
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_stack_that_is_locked_fails_alone(fleet: Fleet, running: list[subprocess.Popen[str]]) -> None:
    """Two runs at the same time on one backend: each shard has its own lock."""
    fleet.add_policies()
    fleet.spec(a={"props": {"slow": "create"}, "stacks": STACKS[:1]}, b={"stacks": STACKS[1:]})
    first = fleet.start("up", "--only", "1")
    running.append(first)
    _wait_for(fleet.world / "started", first)
    second = fleet.run("up")
    assert second.status == 1, second
    assert "2 stacks: 1 done, 1 failed; " in second.out
    assert "\nproduction-01:\n  " in second.out
    assert second.out.count("the stack is currently locked by") == 1
    line = next(line for line in second.out.splitlines() if line.startswith("production-01 "))
    assert line.endswith("FAILED"), "what a preview found has not been done"
    assert "stdout:" not in second.out
    (fleet.world / "go").touch()
    out, _ = first.communicate(timeout=LIMIT)
    assert first.returncode == 0, out
    assert [fleet.resources(stack) for stack in STACKS] == [["a"], ["b"]]


def test_what_became_of_each_host_is_reported_and_what_failed_can_be_run_alone(fleet: Fleet) -> None:
    fleet.declare_hosts("web1", "db1")
    fail = {"host": "web1", "fail": "create"}
    fleet.spec(a={"props": {"host": "db1"}, "stacks": STACKS[1:]}, web1={"props": fail, "stacks": STACKS[:1]})
    reports = [fleet.folder / name for name in ("out/report.json", "report.xml", "report.md")]
    options = [word for file in reports for word in ("--report", str(file))]
    done = fleet.run("up", *options)
    assert done.status == 1, done
    report = json.loads(reports[0].read_text())
    assert (report["command"], report["failed"], report["error"]) == ("up", True, None)
    assert {one["stack"]: one["status"] for one in report["stacks"]} == dict(
        zip(STACKS, ("failed", "done"), strict=True)
    )
    assert {name: host["status"] for name, host in report["hosts"].items()} == {"web1": "failed", "db1": "changed"}
    assert report["hosts"]["db1"]["changes"] == ["Item a: create"]
    suites = ElementTree.parse(reports[1]).getroot()
    failed = {case.get("name") for case in suites.iter("testcase") if case.find("failure") is not None}
    assert failed == {"web1"}
    assert {case.get("name") for case in suites.iter("testcase")} == {*STACKS, "web1", "db1"}
    assert "### production: **the up failed**" in reports[2].read_text()
    assert "web1 would not create" in reports[2].read_text()

    fleet.spec(
        a={"props": {"host": "db1"}, "stacks": STACKS[1:]}, web1={"props": {"host": "web1"}, "stacks": STACKS[:1]}
    )
    again = fleet.run("up", "--failed", str(reports[0]))
    assert (again.status, "1 stack: 1 done; " in again.out, "production-02" in again.out) == (0, True, False), again
    one = fleet.run("preview", "--host", "db1")
    assert (one.status, "1 stack: 1 done; no changes; " in one.out, "production-02" in one.out) == (0, True, True), one
    none = fleet.run("preview", "--host", "db2")
    assert (none.status, none.err) == (2, "error: production has no host db2; is db1 meant?\n")


def test_a_broken_config_is_in_the_report(fleet: Fleet) -> None:
    file = fleet.folder / "Pulumi.production.yaml"
    file.write_text("config:\n  items:shard: {of: 2\n")
    report = fleet.folder / "report.md"
    done = fleet.run("preview", "--report", str(report))
    assert done.status == 2
    assert done.err.startswith(f"error: {file}:"), done.err
    assert "<unicode string>" not in done.err
    assert done.err.strip() in report.read_text()


def test_an_engine_that_says_nothing_is_ended_and_what_it_waited_for_is_told(
    fleet: Fleet, running: list[subprocess.Popen[str]]
) -> None:
    fleet.spec(a={"props": {"host": "web7", "slow": "create"}, "stacks": STACKS[:1]})
    process = fleet.start("up", "--only", "1", "--limit", "12")
    running.append(process)
    assert process.stdout
    out = []
    for line in process.stdout:
        out.append(line)
        if "nothing was heard for 12 s: it waits for web7: Item" in line:
            break
    else:
        pytest.fail("".join(out))
    (fleet.world / "go").touch()
    process.communicate(timeout=LIMIT)
    assert process.returncode == 1


def test_a_call_of_the_cli_that_does_not_come_back_is_told(tmp_path: Path) -> None:
    """`pulumi stack ls` once hung on PostgreSQL forever."""
    fleet = make(tmp_path / "items", "pulumi")
    programs = tmp_path / "bin"
    programs.mkdir()
    fake = programs / "pulumi"
    fake.write_text('#!/bin/sh\ncase " $* " in *" version "*) echo v3.260.0 ;; *) exec sleep 600 ;; esac\n')
    fake.chmod(0o755)
    fleet.environment["PATH"] = f"{programs}{os.pathsep}{fleet.environment['PATH']}"
    fleet.environment["PULUMI_BACKEND_URL"] = "postgres://pulumi:hunter2@db.example.net/pulumi?sslmode=verify-full"
    done = fleet.run("preview", "--limit", "2")
    assert done.status == 2
    assert done.err == (
        "error: `pulumi stack ls`: nothing was heard for 2 s: it waits for the list of stacks in "
        "postgres://db.example.net/pulumi\n"
    )


def test_how_far_a_stack_is(capsys: pytest.CaptureFixture[str]) -> None:
    run = StackRun("production-01")
    assert progress(run, run.begin + 12) == "production-01: 12 s, has not begun yet"
    for kind, host, resource in (("Pre", "web1", "a"), ("Pre", "web2", "b"), ("Outputs", "web1", "a")):
        name = {"Pre": "resourcePreEvent", "Outputs": "resOutputsEvent"}[kind]
        urn = f"urn:pulumi:p::s::pulumi-python:dynamic/stockade:Packages::{resource}"
        state = {"type": "pulumi-python:dynamic/stockade:Packages", "urn": urn, "inputs": {"host": host}}
        run.event(
            EngineEvent.from_json(
                {name: {"metadata": {"op": "create", "type": state["type"], "urn": urn, "new": state}}}
            )
        )
    assert progress(run, run.begin + 25) == "production-01: 25 s, 1 done on 2 hosts, under way: web2: Packages"
    shown = Progress(every=0.01)
    with shown.shown():
        shown.begin(run)
        while "under way: web2: Packages" not in capsys.readouterr().err:
            pass


def test_what_a_policy_stopped_is_not_told_as_done(fleet: Fleet) -> None:
    fleet.add_policies(refused="b")
    fleet.spec(a={}, b={})
    done = fleet.run("up", "--only", "1")
    assert (done.status, "created" in done.out) == (1, False), done
    assert "b: names: Names.\n    not this one" in done.out
    assert fleet.resources("production-01") == []


def test_changes_need_a_yes(fleet: Fleet) -> None:
    command = [word for word in fleet.argv("destroy") if word != "--yes"]
    done = subprocess.run(command, env=fleet.environment, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert (done.returncode, done.stderr) == (2, "error: --yes must be passed in: destroy changes hosts or states\n")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("", "Pulumi.production.yaml: items:shard.of: is needed; it says how many stacks production is split into"),
        ("config: {'items:shard': {of: 0}}", "Pulumi.production.yaml: items:shard.of: Input should be greater than"),
        ("config: {'items:shard': {of: 2, index: 1}}", "Pulumi.production.yaml: items:shard.index: is for the file"),
    ],
)
def test_a_wrong_environment_is_told_with_its_place(tmp_path: Path, config: str, message: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: items")
    (tmp_path / "Pulumi.production.yaml").write_text(config)
    with pytest.raises(FleetError) as caught:
        load(tmp_path, "production")
    assert str(caught.value).startswith(message)
    with pytest.raises(FleetError, match=r"no environment staging: there is no Pulumi\.staging\.yaml"):
        load(tmp_path, "staging")


def test_a_shards_own_file_is_left_alone_and_the_rest_share_one(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: items\nstackConfigDir: stacks")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.production.yaml").write_text("config: {'items:shard': {of: 2}}")
    own = tmp_path / "stacks" / "Pulumi.production-02.yaml"
    own.write_text("config: {}")
    for _ in range(2):
        load(tmp_path, "production").link()
        assert own.read_text() == "config: {}"
        assert own.with_name("Pulumi.production-01.yaml").read_text() == "config: {'items:shard': {of: 2}}"

"""Whole runs of the embedded engine: calls of the provider, the state, and the output."""

from __future__ import annotations

import json
from typing import Any

from .conftest import PROGRAMS, Sample

RULES = "\n".join(f"-A INPUT -p tcp --dport {port} -j ACCEPT" for port in range(8000, 8020))


def test_up_then_nothing_to_do_then_one_changed_line(sample: Sample) -> None:
    items = {
        "group": {"type": "group"},
        "rules": {"props": {"text": RULES}, "options": {"parent": "group"}, "secret": True},
        "after": {"from": "rules"},
    }
    sample.configure_password()
    sample.spec(items, export=["after"], export_config=["password"])
    shown = sample.engine("up", "--yes")
    assert sample.log() == ["create rules", "created rules", "create after", "created after"]
    assert "+ 4 created" in shown
    assert "the program ran" in shown
    state = sample.resources()
    assert state["after"]["outputs"]["text"] == RULES + "!"
    assert state["after"]["outputs"]["greeting"] == "hello"
    assert state["after"]["dependencies"] == [state["rules"]["urn"]]
    assert state["rules"]["parent"] == state["group"]["urn"]
    assert "hunter2" not in sample.state_file.read_text() + shown
    assert sample.state_file.stat().st_mode & 0o777 == 0o600

    before = sample.state_file.stat()
    shown = sample.engine("up", "--yes", "--expect-no-changes")
    assert "4 unchanged" in shown
    assert sample.log() == []
    assert sample.state_file.stat().st_mtime_ns == before.st_mtime_ns
    assert sample.state("output", "password") == "hunter2\n"
    assert "password\t[secret]" in sample.state("stack", "output")

    items["rules"]["props"]["text"] = RULES.replace("8010 -j ACCEPT", "8010 -j DROP")
    sample.spec(items, export=["after"], export_config=["password"])
    shown = sample.engine("preview", "--diff", "--expect-no-changes", ok=False)
    marked = [line.strip() for line in shown.split("Outputs:")[0].splitlines() if line.strip()[:2] in ("- ", "+ ")]
    change = ["- -A INPUT -p tcp --dport 8010 -j ACCEPT", "+ -A INPUT -p tcp --dport 8010 -j DROP"]
    assert marked == change * 2  # in `rules`, and in `after`, which takes its value
    assert "--dport 8009" in shown
    assert "--dport 8003" not in shown  # too far from the change to be shown
    assert "no changes were expected but changes were proposed" in shown
    assert "hunter2" not in shown
    assert sample.log() == []


def test_failures_stop_dependents_only(sample: Sample) -> None:
    items = {
        "bad": {"props": {"fail": "create"}},
        "child": {"from": "bad"},
        "grandchild": {"options": {"depends_on": ["child"]}},
        "good": {},
        "invalid": {"props": {"text": "bad"}},
    }
    sample.spec(items, export=["child", "good"])
    shown = sample.engine("up", "--yes", ok=False)
    assert sorted(sample.log()) == ["create bad", "create good", "created good"]
    assert set(sample.resources()) == {"good"}
    assert shown.count("Exception: bad would not create") == 1
    assert "text: must not be bad" in shown
    assert "update failed" in shown
    assert "Program failed" not in shown
    assert "pending_operations" not in sample.deployment()

    items["bad"] = items["invalid"] = {"props": {"text": "fine"}}
    sample.spec(items)
    sample.engine("up", "--yes")
    assert set(sample.resources()) == {"bad", "child", "grandchild", "good", "invalid"}

    sample.log()
    items["bad"] = {"props": {"text": "finer", "fail": "update"}}
    sample.spec({"bad": items["bad"], "new": {"props": {"fail": "create"}}, "more": {"from": "new"}})
    shown = sample.engine("up", "--yes", ok=False)
    assert sorted(sample.log()) == ["create new", "update bad"]
    assert "not attempted because of this: Item more" in shown
    assert "not deleted yet, because of what failed: Item good" in shown  # `new` may be one of them under another name
    assert sample.resources()["bad"]["inputs"]["text"] == "fine"
    assert len(sample.resources()) == 5


def test_a_failure_holds_up_no_other_component(sample: Sample) -> None:
    items: dict[str, Any] = {}
    for host in ("one", "two", "old"):
        items[host] = {"type": "host"}
        for part in ("rules", "users"):
            items[f"{host}-{part}"] = {"options": {"parent": host}}
    items["one-users"]["options"]["depends_on"] = ["one-rules"]
    sample.spec(items)
    sample.engine("up", "--yes")
    sample.log()
    items["one-rules"]["props"] = {"text": "new", "fail": "update"}
    items["one-new"] = {"options": {"parent": "one", "depends_on": ["one-users"]}}
    items["two-rules"]["props"] = {"text": "new"}
    wanted = {name: item for name, item in items.items() if name not in ("two-users", "old", "old-rules", "old-users")}
    sample.spec(wanted)
    shown = sample.engine("up", "--yes", "--continue-on-error", ok=False)
    done = [line for line in sample.log() if line.startswith(("deleted", "updated", "created"))]
    assert sorted(done) == ["deleted old-rules", "deleted old-users", "deleted two-users", "updated two-rules"]
    assert "not attempted because of this: Item one-users, Item one-new" in shown
    assert "not deleted yet" not in shown

    del wanted["one-users"]  # part of the component that failed, so it stays
    wanted["one-new"]["options"] = {"parent": "one"}
    sample.spec(wanted)
    shown = sample.engine("up", "--yes", ok=False)
    assert "not deleted yet, because of what failed: Item one-users" in shown
    wanted["one-rules"]["props"]["fail"] = ""
    sample.spec(wanted)
    sample.engine("up", "--yes")
    assert set(sample.resources()) == set(wanted)


def test_a_program_that_fails_says_so_and_nothing_else(sample: Sample) -> None:
    sample.spec({"one": {"props": {"text": "a"}}}, export=["one"])
    sample.engine("up", "--yes")
    pack = ("--policy-pack", str(PROGRAMS / "policies"))
    for command in (["preview", *pack], ["up", "--yes", *pack], ["up", "--yes"]):
        sample.spec({}, **{"raise": "a typo"})
        shown = sample.engine(*command, ok=False)
        assert "RuntimeError: a typo" in shown
        assert "Outputs:" not in shown
        assert "✅" not in shown
        assert sample.state("output", "one") == "a\n"  # it still exists


def test_replacement_and_removal_are_in_order(sample: Sample) -> None:
    items = {
        "plain": {"props": {"key": "1"}},
        "first": {"props": {"key": "1", "first": True}},
        "user": {"from": "first", "options": {"deleted_with": "first"}},
        "last": {"options": {"depends_on": ["user", "plain"]}},
        "kept": {"options": {"retain_on_delete": True}},
        "guarded": {"options": {"protect": True}},
    }
    sample.spec(items)
    sample.engine("up", "--yes", "--parallel", "1")
    sample.log()

    items["plain"]["props"]["key"] = items["first"]["props"]["key"] = "2"
    sample.spec(items)
    shown = sample.engine("preview", "--diff")
    assert "+-3 to replace" in shown
    sample.engine("up", "--yes")
    done = [line for line in sample.log() if line.split()[0] in ("created", "deleted")]
    assert done.index("created plain") < done.index("deleted plain")
    assert done.index("deleted first") < done.index("created first") < done.index("created user")
    assert "deleted user" not in done  # it was deleted with `first`
    assert (sample.world / "plain-2.json").exists()
    assert not (sample.world / "plain-1.json").exists()

    sample.spec({})
    shown = sample.engine("up", "--yes", ok=False)
    done = [line for line in sample.log() if line.startswith("deleted")]
    assert done[0] == "deleted last"
    assert sorted(done) == ["deleted first", "deleted last", "deleted plain"]
    assert (sample.world / "kept-0.json").exists()
    assert "protected" in shown
    assert set(sample.resources()) == {"guarded"}


def test_refresh_shows_drift_and_up_takes_it_back(sample: Sample) -> None:
    sample.spec({"one": {"props": {"text": "a\nb\nc"}}, "two": {"from": "one"}, "three": {}})
    sample.engine("up", "--yes")
    (sample.world / "one-0.json").write_text(json.dumps({"text": "a\nB\nc"}))
    (sample.world / "three-0.json").unlink()
    sample.log()
    shown = sample.engine("refresh", "--yes", "--diff")
    assert [line.strip() for line in shown.splitlines() if line.strip() in ("- b", "+ B")] == ["- b", "+ B"]
    assert "~ 1 updated" in shown
    assert "- 1 gone" in shown
    assert set(sample.resources()) == {"one", "two"}
    assert sample.resources()["one"]["inputs"]["text"] == "a\nB\nc"
    shown = sample.engine("up", "--yes")
    assert sorted(sample.log()) == ["create three", "created three", "update one", "updated one"]
    assert json.loads((sample.world / "one-0.json").read_text())["text"] == "a\nb\nc"
    assert "2 changes. 2 unchanged" in shown

    sample.engine("destroy", "--yes", "--preview-only")
    assert sample.log() == []
    shown = sample.engine("destroy", "--yes")
    done = [line for line in sample.log() if line.startswith("deleted")]
    assert done.index("deleted two") < done.index("deleted one")
    assert "resources" not in sample.deployment()
    assert "- 4 deleted" in shown


def test_a_failing_program_changes_nothing_more(sample: Sample) -> None:
    sample.spec({"one": {}, "two": {}})
    sample.engine("up", "--yes")
    sample.log()
    sample.spec({"one": {}}, **{"raise": "no such luck"})
    shown = sample.engine("up", "--yes", ok=False)
    assert "RuntimeError: no such luck" in shown
    assert "runpy" not in shown  # the traceback shows only the user's own files
    assert set(sample.resources()) == {"one", "two"}
    assert sample.log() == []


def test_what_is_not_supported_is_refused_by_name(sample: Sample) -> None:
    sample.spec({"other/stack": {"type": "reference"}})
    shown = sample.engine("preview", ok=False)
    assert "StackReference" in shown
    assert "is not supported by the embedded engine" in shown
    assert "Traceback" not in shown


def test_policies(sample: Sample) -> None:
    pack = str(PROGRAMS / "policies")
    sample.spec({"rude": {"props": {"text": "damn"}}, "polite": {}, "third": {}})
    shown = sample.engine("preview", "--policy-pack", pack, ok=False)
    assert "[mandatory]  no-curses  (pulumi-python:dynamic/items:Item: rude)" in shown
    assert "mind your language" in shown
    shown = sample.engine("up", "--yes", "--policy-pack", pack, ok=False)
    assert "mind your language" in shown
    assert sample.log() == []  # nothing was started
    sample.engine("up", "--yes", "--skip-preview", "--policy-pack", pack, ok=False)
    assert sample.log()
    assert "rude" not in sample.resources()
    config = sample.folder / "policy.json"
    config.write_text(json.dumps({"all": "mandatory", "no-curses": "advisory"}))
    shown = sample.engine("up", "--yes", "--policy-pack", pack, "--policy-pack-config", str(config), ok=False)
    assert "[mandatory]  not-many" in shown  # checked at the end of the program
    assert sample.log() == []
    config.write_text(json.dumps({"all": "advisory"}))
    shown = sample.engine("up", "--yes", "--policy-pack", pack, "--policy-pack-config", str(config))
    assert "[advisory]  no-curses" in shown
    assert "[advisory]  not-many" in shown
    assert "3 items are many" in shown
    assert "rude" in sample.resources()

"""The ruleset chapter's interpretation of facts: differences, drift, refusals, plans. Without a host."""

from typing import Any

import pytest

from components.core.chapter import STALE, Failure, KnownState
from components.firewall.ruleset.chapter import RulesetChapter
from components.firewall.ruleset.settings import RulesetFacts, RulesetInputs
from hosts.shell import Answer, Script
from hosts.ssh.connection import HostAccess
from hosts.system.files import FileState

CHAPTER = RulesetChapter()
ACCESS = HostAccess.model_validate({"name": "web1", "bootstrap": {"host": "192.0.2.10", "port": 2222}})
RULES = "*filter\n:INPUT DROP\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"
SAVED = "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n"
BARE = "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"


def inputs(**given: Any) -> RulesetInputs:
    """Return what is declared."""
    return RulesetInputs.model_validate({"host": "web1", "family": "ipv4", "rules": RULES, **given})


def shown(**facts: Any) -> RulesetFacts:
    """Return the facts of a host that is as declared, except for `facts`."""
    boot = FileState("/etc/rules", True, inputs().boot_text(inputs().declared), "640", "root", "root")
    return RulesetFacts.model_validate(
        {"saved": SAVED, "boot": boot.packed(), "boot_unit": "enabled", "look": True, **facts}
    )


HIDDEN = shown(saved="# Table `filter' is incompatible, use 'nft' tool.", controller="native ip filter rule INPUT ct x")
"""What nft has written into our table hides all of it."""


def known(**states: Any) -> KnownState[RulesetInputs, RulesetFacts]:
    return KnownState(**states)


def drift(seen: RulesetFacts, recorded: RulesetFacts | None = None, **given: Any) -> dict[str, Any]:
    """Return the inputs that a refresh changes."""
    declared = inputs(**given)
    found = CHAPTER.as_observed(declared, known(recorded=recorded or shown()), seen)
    before, after = declared.model_dump(), found.model_dump()
    return {name: value for name, value in after.items() if value != before[name]}


class TestWrittenByNft:
    NOTE = "nft has written the rule INPUT ct x into iptables' table ip filter"

    def test_it_is_drift_and_what_it_hides_is_not(self) -> None:
        found = drift(HIDDEN)
        assert list(found) == ["exposure"]
        assert found["exposure"].endswith(f"\nnot as declared: {self.NOTE}")
        assert CHAPTER.differences(inputs(), HIDDEN) == self.NOTE

    def test_other_tables_are_compared_as_ever(self) -> None:
        with_raw = f"{RULES}*raw\n-A PREROUTING -i lo -j ACCEPT\nCOMMIT\n"
        raw = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -i lo -j ACCEPT\nCOMMIT\n"
        recorded = shown(saved=SAVED + raw)
        assert "rules" not in drift(shown(saved=raw, controller=HIDDEN.controller), recorded, rules=with_raw)
        changed = shown(saved=raw.replace("-i lo", "-i eth0"), controller=HIDDEN.controller)
        found = drift(changed, recorded, rules=with_raw)["rules"]
        assert "-A PREROUTING -i eth0 -j ACCEPT" in found
        assert "--dport 22" in found


class TestDifferences:
    @pytest.mark.parametrize(
        ("facts", "words"),
        [
            ({}, ""),
            ({"saved": BARE}, "the rules differ:\n"),
            ({"closed": "no boot file"}, "it is still closed, as at boot: no boot file"),
            ({"boot": FileState("/etc/rules", False)}, "/etc/rules does not contain the rules"),
            ({"boot_unit": "disabled"}, "does not contain the rules"),
        ],
    )
    def test_what_is_not_as_declared_is_named(self, facts: dict[str, Any], words: str) -> None:
        found = CHAPTER.differences(inputs(), shown(**facts))
        assert found == words if not words else words in found

    def test_rules_that_differ_are_shown_line_by_line(self) -> None:
        found = CHAPTER.differences(inputs(), shown(saved=SAVED.replace("--dport 22", "--dport 23")))
        assert "\n--A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n" in found
        assert found.endswith("\n+-A INPUT -p tcp -m tcp --dport 23 -j ACCEPT")

    def test_what_is_not_loaded_at_boot_needs_no_boot_file(self) -> None:
        declared = inputs(persistent=False)
        assert CHAPTER.differences(declared, shown(boot=FileState("/etc/rules", False), boot_unit="")) == ""

    def test_a_set_that_is_not_there(self) -> None:
        declared = inputs(sets="create a hash:ip family inet\n")
        assert CHAPTER.differences(declared, shown()) == "there is no set a"


class TestDrift:
    @pytest.mark.parametrize(
        "rule", ['-A INPUT -m comment --comment "a\n:b - [0:0] \\"" -j ACCEPT', "-A INPUT -m new --it x"]
    )
    def test_what_nobody_could_declare_is_taken_back(self, rule: str) -> None:
        declared, seen = inputs(), shown(saved=SAVED.replace("COMMIT", f"{rule}\nCOMMIT"))
        found = CHAPTER.as_observed(declared, known(recorded=shown()), seen)
        assert rule in found.rules
        state = known(last=found, recorded=seen, prior=shown(saved=BARE), before=seen, earlier=(declared,))
        assert "-D INPUT 3" in CHAPTER.apply(declared, state).values["transaction"]
        assert CHAPTER.restore(declared, state).values["transaction"]
        assert CHAPTER.guard(declared, state, ACCESS)

    def test_sets_that_nobody_could_declare_are_passed_over(self) -> None:
        odd = inputs().model_copy(update={"sets": "create odd list:set size 8\nrename x\n"})
        declared = inputs(sets="create a hash:ip family inet\n")
        state = known(last=odd, recorded=shown(), before=shown(), earlier=(declared,))
        assert CHAPTER.apply(inputs(), state).values["sets_gone"] == "a"

    def test_none(self) -> None:
        assert drift(shown()) == {}

    def test_a_rule_that_somebody_added(self) -> None:
        more = SAVED.replace("COMMIT", "-A INPUT -p tcp -m tcp --dport 8080 -j ACCEPT\nCOMMIT")
        found = drift(shown(saved=more))
        assert set(found) == {"rules", "exposure"}
        assert "--dport 8080" in found["rules"]
        assert "tcp/8080" in found["exposure"]

    @pytest.mark.parametrize(
        "facts", [{"boot": FileState("/etc/rules", False)}, {"boot_unit": "disabled"}, {"look": False}]
    )
    def test_rules_that_are_not_loaded_at_boot_any_more(self, facts: dict[str, Any]) -> None:
        assert drift(shown(**facts)) == {"persistent": False}
        assert drift(shown(**facts), persistent=False) == {}

    def test_nobody_looked_before_either(self) -> None:
        assert drift(shown(look=False), recorded=shown(look=False)) == {}

    @pytest.mark.parametrize("take_over", [True, False])
    def test_somebody_else_who_filters(self, take_over: bool) -> None:
        found = drift(shown(controller="ufw"), takeOver=take_over)
        assert set(found) == {"take_over", "exposure"}
        assert found["take_over"] is not take_over
        assert found["exposure"].endswith("\nnot as declared: ufw is active")

    def test_who_emptied_the_rules_is_named(self) -> None:
        found = drift(shown(saved=BARE, cause="emptied\n1 nftables.service 2026-05-04T03:02:01Z"))
        assert "our rules were flushed: by nftables.service (2026-05-04T03:02:01Z)" in found["exposure"]
        assert "emptied" not in drift(shown(cause="emptied")).get("exposure", "")

    def test_what_others_let_in_beyond_what_is_declared_is_told_if_it_is_new(self) -> None:
        recorded = shown(published=["tcp/80 by DOCKER"])
        found = drift(shown(published=["tcp/80 by DOCKER", "tcp/81 by DOCKER"]), recorded)
        assert set(found) == {"exposure"}
        assert found["exposure"].splitlines()[-1] == "beyond what is declared: tcp/81 by DOCKER"
        assert "tcp/80 by DOCKER" not in found["exposure"]
        assert drift(recorded, recorded) == {}

    def test_a_host_that_closed_itself(self) -> None:
        found = drift(shown(saved=BARE, closed="no boot file", cause="emptied", controller="ufw"))
        assert "\nclosed at boot: no boot file\nnot as declared: ufw is active" in found["exposure"]
        assert "emptied" not in found["exposure"]


class TestSameSettings:
    def test_whence_the_look_came_is_none_of_them(self) -> None:
        assert CHAPTER.same_settings(shown(), shown(client="192.0.2.1", port=22, addresses={"a": ("192.0.2.2",)}))

    def test_an_empty_table_does_nothing(self) -> None:
        assert CHAPTER.same_settings(shown(), shown(saved=SAVED + "*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"))

    @pytest.mark.parametrize(
        "facts",
        [
            {"saved": BARE},
            {"saved": SAVED + "*nat\n:OUTPUT DROP [0:0]\nCOMMIT\n"},
            {"saved": SAVED + "*nat\n:OWN - [0:0]\nCOMMIT\n"},
            {"boot_unit": "disabled"},
            {"controller": "ufw"},
        ],
    )
    def test_all_else_is(self, facts: dict[str, Any]) -> None:
        assert not CHAPTER.same_settings(shown(), shown(**facts))


def test_rules_of_its_own_are_counted() -> None:
    assert CHAPTER.already_configured(inputs(), shown()) == "the host has 2 rules of its own"
    assert CHAPTER.already_configured(inputs(), shown(saved=BARE)) == ""


class _Host:
    """A host with facts."""

    name = "web1"

    def __init__(self, **sections: str) -> None:
        facts = {"saved": BARE, "names": "", "entry": "", "boot.meta": "absent\n/etc/rules\n", "boot_unit": ""}
        self.answer = Answer("", "", 0, {**facts, "controller": "", **sections})

    def read(self, _script: Script, *, resource: str) -> Answer:
        assert resource == "firewall ipv4"
        return self.answer


class TestRefused:
    def test_nothing(self) -> None:
        host: Any = _Host(entry="192.0.2.7 40000 192.0.2.10 22\n")
        assert CHAPTER.stages(host, inputs(), known()) == (inputs(),)

    def test_somebody_else_who_filters(self) -> None:
        host: Any = _Host(controller="ufw\n")
        with pytest.raises(Failure, match=r"web1: firewall ipv4: nothing was changed: ufw is active: .*takeOver: true"):
            CHAPTER.stages(host, inputs(), known())
        declared = inputs(takeOver=True)
        assert CHAPTER.stages(host, declared, known()) == (declared,)

    def test_rules_that_keep_this_very_run_out(self) -> None:
        host: Any = _Host(entry="192.0.2.7 40000 192.0.2.10 2222\n")
        with pytest.raises(Failure, match="nothing was changed: this would lock you out: nobody can connect from 192"):
            CHAPTER.stages(host, inputs(), known())
        declared = inputs(acceptLockout=True)
        assert CHAPTER.stages(host, declared, known()) == (declared,)

    def test_a_name_is_looked_up_once_more_and_then_given_up(self) -> None:
        declared = inputs(rules=RULES.replace("-p tcp --dport", "-s a.example -p tcp --dport"))
        assert CHAPTER.apply(declared, known()).body == f"exit {STALE}"
        with pytest.raises(Failure, match=r"web1: firewall ipv4: the host cannot resolve a\.example: use addresses"):
            CHAPTER.apply(declared, known(before=shown(), reobserved=True))
        there = shown(addresses={"a.example": ("192.0.2.9",)})
        assert "-s 192.0.2.9/32" in CHAPTER.apply(declared, known(before=there)).values["boot_content"]

    def test_somebody_who_began_to_filter_meanwhile(self) -> None:
        before = shown(controller="ufw")
        assert CHAPTER.apply(inputs(), known(before=before)).body == f"exit {STALE}"
        with pytest.raises(Failure, match="ufw is active"):
            CHAPTER.apply(inputs(), known(before=before, reobserved=True))
        assert CHAPTER.apply(inputs(takeOver=True), known(before=before)).values["take"] == "ufw"


class TestPutBack:
    PRIOR = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p udp -j DROP\nCOMMIT\n"

    def transaction(self, prior: RulesetFacts, now: RulesetFacts) -> str:
        return CHAPTER.restore(inputs(), known(last=inputs(), prior=prior, before=now)).values["transaction"]

    def test_the_prior_rules(self) -> None:
        text = self.transaction(shown(saved=self.PRIOR), shown())
        assert "-p udp -j DROP" in text
        assert "-P INPUT ACCEPT" in text

    def test_a_program_that_is_started_again_brings_its_rules(self) -> None:
        text = self.transaction(shown(saved=self.PRIOR, controller="ufw"), shown())
        assert "-p udp" not in text
        assert "-P INPUT ACCEPT" in text

    def test_a_program_that_was_not_taken_over_by_then_keeps_them(self) -> None:
        assert self.transaction(shown(saved=self.PRIOR, controller="ufw"), shown(controller="ufw")) == ""


class TestGuarded:
    def values(self, **states: Any) -> dict[str, str]:
        declared = states.pop("declared", inputs())
        return dict(CHAPTER.guard(declared, known(**states), ACCESS).values)

    def test_a_boot_file_goes_back_where_rules_are_not_to_be_loaded_at_boot_any_more(self) -> None:
        assert self.values(declared=inputs(persistent=False), last=inputs())["boot_back"] == "yes"
        assert self.values(declared=inputs(persistent=False), last=inputs(persistent=False))["boot_back"] == ""
        assert self.values(last=inputs())["boot_back"] == ""
        assert self.values(declared=inputs(persistent=False))["boot_back"] == ""

    def test_what_was_there_before_is_what_counts(self) -> None:
        found = self.values(before=shown(), prior=shown(saved="", boot_unit="masked", controller="ufw"))
        assert (found["untouched"], found["unit_back"], found["controller"]) == ("filter", "masked", "ufw")
        assert self.values(before=shown())["untouched"] == ""

    def test_doors_are_where_somebody_logs_in(self) -> None:
        rules = RULES.replace("--dport 22", "--dport 20:9999")
        declared = inputs(rules=rules, sshPorts=[2022])
        found = self.values(declared=declared, before=shown(client="192.0.2.1", port=2200))
        assert sorted(line.split()[1] for line in found["doors"].splitlines()) == ["2022", "2200", "2222"]

    @pytest.mark.parametrize(("take_over", "controller"), [(True, "ufw"), (True, ""), (False, "ufw")])
    def test_programs_are_given_back_where_they_are_taken_over(self, take_over: bool, controller: str) -> None:
        guard = CHAPTER.guard(inputs(takeOver=take_over), known(before=shown(controller=controller)), ACCESS)
        assert guard.back.endswith("give_back\n") is bool(take_over and controller)
        assert guard.limit == inputs().confirm_within
        restoring = CHAPTER.guard(inputs(takeOver=True), known(before=shown(controller="ufw")), ACCESS, restoring=True)
        assert not restoring.back.endswith("give_back\n")

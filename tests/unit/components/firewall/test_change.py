"""The scripts of a ruleset on the stage: observe, load, confirm, roll back, restore."""

import os
import subprocess
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Any

import pytest

from components.core.chapter import STALE, KnownState
from components.firewall.boot.installed import CLOSED, FOLDER, look_program
from components.firewall.ruleset.chapter import ABSENT, REFUSED, TOOLS, UNSTARTED, RulesetChapter
from components.firewall.ruleset.settings import RulesetFacts, RulesetInputs
from components.firewall.sets.values import BAD_SET, NO_SETS, SET_TAKEN
from hosts.guard.guarded import Guard
from hosts.scripts import source
from hosts.shell import Answer, Script
from hosts.ssh.connection import HostAccess
from hosts.system.distro import UNSUPPORTED
from hosts.system.files import Limit
from rules.plan.ownership import UNMOVED
from rules.values.family import Family
from tests.shell_room import Stage
from tests.unit.components.firewall.programs import ipset, iptables, loads, nft, sets, systemctl, unit

CHAPTER = RulesetChapter()
ACCESS = HostAccess.model_validate({"name": "web1", "bootstrap": {"host": "192.0.2.10", "port": 2222}})
GUARD = "/var/lib/stockade/guard/it"
BOOT = "/etc/iptables/rules.v4"
BEFORE = """\
*filter
:INPUT ACCEPT [5:300]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:f2b-sshd - [0:0]
-A INPUT -p tcp -j f2b-sshd
-A INPUT -p udp -j DROP
-A f2b-sshd -j RETURN
COMMIT
"""
RULES = """\
*filter
:INPUT DROP
:FORWARD DROP
:OUTPUT ACCEPT
:CHECK
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
-A INPUT -p tcp --dport 2222 -j ACCEPT
-A FORWARD -i docker0 -j ACCEPT
COMMIT
"""
LOADED = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:CHECK - [0:0]
:f2b-sshd - [0:0]
-A INPUT -p tcp -j f2b-sshd
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 2222 -j ACCEPT
-A FORWARD -i docker0 -j ACCEPT
-A f2b-sshd -j RETURN
COMMIT
"""
EXPECTED = """\
filter :INPUT DROP
filter :FORWARD DROP
filter :OUTPUT ACCEPT
filter :CHECK -
filter -A INPUT -i lo -j ACCEPT
filter -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
filter -A INPUT -p tcp -m tcp --dport 2222 -j ACCEPT
"""
TAKE_OVER: dict[str, Any] = {"takeOver": True}


LOOKS = ("stockade-sets", "stockade-firewall", "stockade-firewall-again")


def inputs(**given: Any) -> RulesetInputs:
    """Return what is declared."""
    return RulesetInputs.model_validate({"host": "web1", "family": "ipv4", "rules": RULES, **given})


@dataclass
class Host:
    """A host on the stage, and the actions of a run."""

    stage: Stage
    guard: Guard = field(default_factory=lambda: Guard("", ""))

    def observe(self, declared: RulesetInputs) -> RulesetFacts:
        """Look at it."""
        answer = self.stage.one(CHAPTER.observe(declared))
        assert answer.status == 0, answer.stderr
        return CHAPTER.parse(declared, answer)

    def apply(self, declared: RulesetInputs, known: KnownState[RulesetInputs, RulesetFacts] | None = None) -> Answer:
        """Load the rules, armed."""
        known = known or KnownState(before=self.observe(declared), reobserved=True)
        self.guard = CHAPTER.guard(declared, known, ACCESS)
        return self.armed(CHAPTER.apply(declared, known))

    def restore(self, declared: RulesetInputs, prior: RulesetFacts) -> Answer:
        """Restore the prior rules, armed."""
        known = KnownState(last=declared, prior=prior, before=self.observe(declared), reobserved=True)
        self.guard = CHAPTER.guard(declared, known, ACCESS, restoring=True)
        return self.armed(CHAPTER.restore(declared, known))

    def armed(self, script: Script) -> Answer:
        """Run a script that arms itself."""
        self.stage.forget_calls()
        arm = f'arm() {{ guard={GUARD}; mkdir -p "$guard"; eval "$guard_save"; echo armed; }}\n'
        values = {**self.guard.values, **script.values, "guard_save": self.guard.save}
        return self.stage.one(replace(script, body=arm + script.body, values=values))

    def commit(self) -> Answer:
        """Commit the change."""
        return self._run(self.guard.commit, "timer")

    def back(self, occasion: str = "timer") -> Answer:
        """Roll the change back."""
        return self._run(self.guard.back, occasion)

    def _run(self, body: str, occasion: str) -> Answer:
        self.stage.forget_calls()
        values = {**self.guard.values, "guard": GUARD, "occasion": occasion}
        return self.stage.one(Script("end", body, values))

    def kept(self, folder: str) -> dict[str, str]:
        """Return the files of a folder."""
        path = self.stage.path(folder)
        return {file.name: file.read_text() for file in path.iterdir()} if path.is_dir() else {}


@pytest.fixture
def host(stage: Stage) -> Host:
    """A host as a hosting provider delivers it, with Fail2Ban and a rule of its own."""
    stage.write("/etc/os-release", "ID=debian\nVERSION_ID=12\n")
    iptables(stage)
    nft(stage)
    systemctl(stage, netfilter_persistent="disabled inactive")
    stage.write("/fake/iptables", BEFORE)
    stage.write("/fake/iptables.next", LOADED)
    return Host(stage)


def known_of(before: RulesetFacts) -> KnownState[RulesetInputs, RulesetFacts]:
    return KnownState(before=before, reobserved=True)


def test_numbers_in_the_scripts_are_those_of_the_code() -> None:
    room = "components/firewall"
    for file, words in {
        "ruleset/observe.sh": (f"exit {ABSENT}", f"fits {Limit.RULES} ", f'"$boot" {Limit.RULES}'),
        "ruleset/apply.sh": (f"exit {STALE}", f"exit {UNSTARTED}"),
        "ruleset/restore.sh": (f"exit {STALE}",),
        "ruleset/transaction.sh": (f"exit {STALE}", f"exit {REFUSED}", f"/^-N {UNMOVED}$/,/^-X {UNMOVED}$/d"),
        "controllers/take_over.sh": (f"exit {STALE}",),
        "sets/make.sh": (f"exit {SET_TAKEN}", f"exit {NO_SETS}", f"exit {BAD_SET}"),
        "boot/opened.sh": (f"INPUT:{CLOSED} ", "FORWARD:STOCKADE-CLOSED-FORWARD;", '"$nft_family" stockade_closed '),
        "boot/places.sh": (f"boots={FOLDER}\n",),
    }.items():
        for word in words:
            assert word in source(f"{room}/{file}"), (file, word)


class TestObserved:
    def test_a_host_that_was_never_changed(self, host: Host) -> None:
        host.stage.write(BOOT, "*filter\nCOMMIT\n", 0o600)
        seen = host.observe(inputs())
        assert "-A INPUT -p udp -j DROP" in seen.saved
        assert (seen.boot.path, seen.boot.exists, seen.boot.mode) == (BOOT, True, "600")
        assert (seen.boot_unit, seen.look, seen.closed, seen.sets, seen.controller) == ("disabled", False, "", "", "")
        assert (seen.other, seen.cause, seen.addresses, seen.client) == ("", "", {}, "")

    def test_what_others_do_and_what_a_boot_did(self, host: Host) -> None:
        nft(host.stage, inet_company="table inet company {\n type filter hook input; policy drop;\n}\n")
        host.stage.write(f"{FOLDER}/ipv4.closed", "some reason\n")
        host.stage.write(BOOT, "# Written by Stockade: x\n-A INPUT -j DROP\n")
        host.stage.write("/fake/units/show", "")
        host.stage.write("/fake/iptables", "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n")
        seen = host.observe(inputs())
        assert (seen.controller, seen.closed, seen.cause) == ("table inet company", "some reason", "emptied")

    def test_names_are_looked_up(self, host: Host) -> None:
        host.stage.program("getent", '[ "$1" != ahostsv4 ] || printf "192.0.2.1 STREAM x\\n192.0.2.2 DGRAM\\n"')
        declared = inputs(rules=RULES.replace("-p tcp --dport 2222", "-s a.example -p tcp --dport 2222"))
        assert host.observe(declared).addresses == {"a.example": ("192.0.2.1", "192.0.2.2")}
        assert [str(call) for call in host.stage.calls("getent")] == ["getent ahostsv4 a.example"]

    @pytest.mark.parametrize(
        "links",
        [
            [f"/etc/systemd/system/multi-user.target.wants/{name}.service" for name in LOOKS],
            [f"/etc/rc.d/rc3.d/{place}stockade-firewall" for place in ("S07", "S09", "S99")],
            [f"/etc/{place}{name}" for place, name in zip(("rcS.d/S36", "rcS.d/S38", "rc3.d/S99"), LOOKS, strict=True)],
        ],
        ids=["systemd", "Red Hat's init", "Debian's init"],
    )
    def test_somebody_looks_at_boot(self, host: Host, links: list[str]) -> None:
        saved = "create blocked hash:net family inet\nadd blocked 192.0.2.0/24"
        with_sets = inputs(sets=saved)
        files = {f"{FOLDER}/look": "", f"{FOLDER}/ipv4/about": "", f"{FOLDER}/ipv4/sets": f"{saved}\n"}
        for name, text in files.items():
            host.stage.write(name, text)
        for number, name in enumerate(links):
            assert (number, host.observe(inputs()).look) == (number, False)
            host.stage.path(name).parent.mkdir(parents=True, exist_ok=True)
            host.stage.path(name).symlink_to("../anything")
        assert host.observe(with_sets).look
        for lost in (*links, *files):  # without any one of them
            path = host.stage.path(lost)
            path.rename(f"{path}.away")
            about_sets = lost in (links[0], f"{FOLDER}/ipv4/sets")
            assert (lost, host.observe(with_sets).look, host.observe(inputs()).look) == (lost, False, about_sets)
            path.with_name(f"{path.name}.away").rename(path)
        host.stage.write(f"{FOLDER}/ipv4/sets", "create blocked hash:net family inet\n")  # the set admits others
        assert not host.observe(with_sets).look

    def test_without_iptables_it_ends(self, host: Host) -> None:
        host.stage.path("/usr/local/sbin/iptables-save").unlink()
        assert host.stage.one(CHAPTER.observe(inputs())).status == ABSENT

    def test_an_unknown_distribution_ends_it(self, host: Host) -> None:
        host.stage.write("/etc/os-release", "ID=other\n")
        assert host.stage.one(CHAPTER.observe(inputs())).status == UNSUPPORTED

    def test_sets_that_are_there_are_shown(self, host: Host) -> None:
        declared = inputs(sets="create a hash:ip family inet\nadd a 192.0.2.1\ncreate b hash:ip family inet\n")
        assert host.observe(declared).sets == ""
        ipset(host.stage, a="create a hash:ip family inet\nadd a 192.0.2.9\n", c="create c hash:ip family inet\n")
        assert host.observe(declared).sets == "create a hash:ip family inet\nadd a 192.0.2.9"


class TestLoaded:
    def test_tried_then_armed_then_loaded_then_confirmed(self, host: Host) -> None:
        answer = host.apply(inputs())
        assert (answer.status, answer.stdout) == (0, "armed\n")
        assert [call.arguments for call in host.stage.calls("iptables-restore")] == [
            ("-w", "1", "--test"),
            ("-n", "--test", "-w", "10"),
            ("--noflush", "-w", "10"),
        ]
        [transaction] = loads(host.stage, "iptables")
        assert "-R INPUT 2 -i lo -j ACCEPT\n" in transaction
        assert host.stage.read(f"{GUARD}/rules") == BEFORE.replace("\n-A", "\n[1:2] -A")
        assert host.kept(GUARD).keys() == {"rules", "boot_path"}
        boot = host.stage.path(f"{BOOT}.next")
        assert boot.stat().st_mode & 0o777 == 0o640
        assert not host.stage.path(BOOT).exists()  # until the change is confirmed, a reboot must find the old file

        content = boot.read_text()
        assert host.commit().status == 0
        assert host.stage.read(BOOT) == content
        assert not boot.exists()
        assert unit(host.stage, "netfilter-persistent") == "enabled active"
        assert CHAPTER.differences(inputs(), host.observe(inputs())) == ""
        assert host.observe(inputs()).look

    def test_what_the_next_boot_looks_at(self, host: Host) -> None:
        host.apply(inputs(sshPorts=[22]))
        assert host.commit().status == 0
        kept = host.kept(f"{FOLDER}/ipv4")
        assert kept.pop("own").startswith("filter/INPUT filter/FORWARD filter/OUTPUT filter/CHECK\ndocker0|")
        assert kept == {
            "expected": EXPECTED,
            "version": "iptables v1.8.9 (nf_tables)\n",
            "written": EXPECTED,
            "doors": "- 2222 - accept\n",
            "sets": "\n",
            "about": f"tool='iptables'\nboot='{BOOT}'\nunit='netfilter-persistent'\nforward='yes'\nneighbours='yes'\n",
        }
        assert (
            host.kept(FOLDER)
            if False
            else {path.name for path in host.stage.path(FOLDER).iterdir()}
            == {
                "ipv4",
                "ipv4.started",
                "look",
            }
        )
        assert host.stage.read(f"{FOLDER}/look") == look_program()
        assert host.stage.path(f"{FOLDER}/look").stat().st_mode & 0o777 == 0o700
        units = "/etc/systemd/system"
        for name, which in (("sets", "sets"), ("firewall", "first"), ("firewall-again", "second")):
            text = host.stage.read(f"{units}/stockade-{name}.service")
            assert f"ExecStart=/bin/sh {FOLDER}/look {which}\n" in text
            link = host.stage.path(f"{units}/multi-user.target.wants/stockade-{name}.service")
            assert os.readlink(link) == f"{units}/stockade-{name}.service"
            assert host.stage.path(f"{units}/stockade-{name}.service").stat().st_mode & 0o777 == 0o644
        assert host.stage.path(f"{units}/multi-user.target.wants").stat().st_mode & 0o777 == 0o755
        early = host.stage.read(f"{units}/stockade-firewall.service")
        assert "\nAfter=netfilter-persistent.service iptables.service " in early
        assert "\nBefore=network-pre.target shutdown.target\n" in early
        assert "\nBefore=netfilter-persistent.service " in host.stage.read(f"{units}/stockade-sets.service")

    def test_somebody_who_added_to_it_meanwhile_is_not_expected_at_boot(self, host: Host) -> None:
        host.apply(inputs())
        host.stage.write("/fake/iptables", LOADED.replace("-A FORWARD", "-A INPUT -p tcp -j ACCEPT\n-A FORWARD"))
        assert host.commit().status == 0
        kept = host.kept(f"{FOLDER}/ipv4")
        assert kept["version"] == "another\n"
        assert kept["expected"].count("-A INPUT") == 3

    def test_a_service_that_would_load_them_runs_in_name_only(self, host: Host) -> None:
        host.apply(inputs())
        assert host.commit().status == 0
        assert "ExecStart=\n" in host.stage.read("/fake/units/netfilter-persistent.service.quiet")
        assert host.kept("/run/systemd/system") == {}
        host.apply(inputs())
        host.stage.path("/fake/units/netfilter-persistent.service.quiet").unlink()
        host.commit()
        assert not host.stage.path("/fake/units/netfilter-persistent.service.quiet").exists()

    def test_a_second_change_keeps_what_is_new(self, host: Host) -> None:
        host.apply(inputs())
        host.commit()
        host.stage.write(f"{FOLDER}/ipv4.closed", "some reason\n")
        declared = inputs(rules=RULES.replace("2222", "2223"))
        before = host.observe(inputs())
        host.stage.write("/fake/iptables.next", LOADED.replace("2222", "2223"))
        known = KnownState(last=inputs(), recorded=before, before=before)
        assert host.apply(declared, known).status == 0
        assert host.kept(GUARD)["boot"] == host.stage.read(BOOT)
        assert host.commit().status == 0
        assert "--dport 2223" in host.kept(f"{FOLDER}/ipv4")["expected"]
        assert not host.stage.path(f"{FOLDER}/ipv4.closed").exists()
        assert {path.name for path in host.stage.path(FOLDER).iterdir()} == {"ipv4", "ipv4.started", "look"}

    def test_not_at_boot_drops_what_was_there(self, host: Host) -> None:
        host.stage.write(BOOT, "theirs\n", 0o600)
        prior = host.observe(inputs())
        host.apply(inputs())
        host.commit()
        declared = inputs(persistent=False)
        before = host.observe(declared)
        known = KnownState(last=inputs(), recorded=before, before=before, prior=prior)
        assert host.apply(declared, known).status == 0
        assert not host.stage.path(f"{BOOT}.next").exists()
        assert host.commit().status == 0
        assert host.stage.read(BOOT) == "theirs\n"
        assert not host.stage.path(FOLDER).exists()
        assert host.kept("/etc/systemd/system/multi-user.target.wants") == {}
        assert unit(host.stage, "netfilter-persistent") == "enabled inactive"

    def test_rules_that_refuse_nothing_need_no_look(self, host: Host) -> None:
        open_rules = "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\nCOMMIT\n"
        host.apply(inputs(rules=open_rules))
        assert host.commit().status == 0
        assert {path.name for path in host.stage.path(FOLDER).iterdir()} <= {"ipv4.started"}

    def test_an_old_restore_does_not_wait(self, host: Host) -> None:
        host.stage.write("/fake/no-wait")
        assert host.apply(inputs()).status == 0
        assert [call.arguments for call in host.stage.calls("iptables-restore")][1:] == [
            ("-n", "--test"),
            ("--noflush",),
        ]
        host.back()
        assert [call.arguments for call in host.stage.calls("iptables-restore")][1:] == [("-c",)]

    def test_ipv6_has_its_own_file_and_tools(self, host: Host) -> None:
        declared = inputs(family="ipv6")
        host.stage.write("/fake/ip6tables", BEFORE)
        host.stage.write("/fake/ip6tables.next", LOADED)
        assert host.apply(declared).status == 0
        assert host.commit().status == 0
        assert host.stage.path("/etc/iptables/rules.v6").is_file()
        assert "tool='ip6tables'\nboot='/etc/iptables/rules.v6'" in host.kept(f"{FOLDER}/ipv6")["about"]
        assert host.stage.calls("iptables-restore") == []
        assert TOOLS[Family.IPV6]["nft_family"] == "ip6"

    def test_open_connections_are_tracked_before_the_first_rule_with_a_state(self, host: Host) -> None:
        host.stage.program("ss", "echo State; cat /fake/open")
        host.stage.write("/fake/open", "one\ntwo\n")
        answer = host.apply(inputs())
        assert answer.status == 0
        assert answer.stdout.count("tracking 2 open connections\n") == 10  # not tracked here
        first, second, last = loads(host.stage, "iptables")
        state = ":STOCKADE-OPEN - [0:0]\n-A STOCKADE-OPEN -m state --state ESTABLISHED"
        assert first == f"*filter\n{state}\nCOMMIT\n"
        assert "-A INPUT" in second or "-I INPUT" in second
        assert last == "*filter\n-F STOCKADE-OPEN\n-X STOCKADE-OPEN\nCOMMIT\n"
        assert [call.arguments[0] for call in host.stage.calls("ss")] == ["-tn4"] * 10

    @pytest.mark.parametrize("known", ["/fake/open", "rules", "no rule"])
    def test_nothing_is_tracked_where_nothing_needs_it(self, host: Host, known: str) -> None:
        host.stage.program("ss", "echo State; cat /fake/open")
        host.stage.write("/fake/open", "" if known == "/fake/open" else "one\n")
        declared = inputs()
        if known == "rules":
            host.stage.write("/fake/iptables", BEFORE.replace("-p udp -j", "-m state --state NEW -j"))
        if known == "no rule":
            declared = inputs(rules=RULES.replace("-m conntrack --ctstate ESTABLISHED", "-p tcp"))
        answer = host.apply(declared)
        assert "tracking" not in answer.stdout
        assert len(loads(host.stage, "iptables")) == (3 if known == "/fake/open" else 1)


class TestRefused:
    @pytest.mark.parametrize("now", [BEFORE.replace("-p udp", "-p icmp"), BEFORE.replace("INPUT ACCEPT", "INPUT DROP")])
    def test_rules_that_changed_since_are_planned_anew(self, host: Host, now: str) -> None:
        before = host.observe(inputs())
        host.stage.write("/fake/iptables", now)
        answer = host.apply(inputs(), known_of(before))
        assert (answer.status, answer.stdout) == (STALE, "")
        assert loads(host.stage, "iptables") == []

    def test_rules_of_others_may_change_meanwhile(self, host: Host) -> None:
        before = host.observe(inputs())
        host.stage.write("/fake/iptables", BEFORE.replace("-j RETURN", "-s 192.0.2.1 -j REJECT"))
        assert host.apply(inputs(), known_of(before)).status == 0

    def test_somebody_else_who_filters_since_is_planned_anew(self, host: Host) -> None:
        before = host.observe(inputs())
        nft(host.stage, inet_company="table inet company {\n type filter hook input; policy drop;\n}\n")
        assert host.apply(inputs(), known_of(before)).status == STALE
        assert host.stage.calls("iptables-restore")[1:] == []

    def test_a_rule_that_iptables_does_not_know_arms_nothing(self, host: Host) -> None:
        host.stage.write("/fake/iptables.refuses", "dport 2222\n")
        answer = host.apply(inputs())
        assert (answer.status, answer.stdout) == (REFUSED, "")
        assert "iptables-restore: line " in answer.stderr
        assert "refused: " in answer.stderr
        assert "dport 2222" in answer.stderr.partition("refused: ")[2]
        assert not host.stage.path(f"{BOOT}.next").exists()

    def test_a_check_that_this_version_cannot_do_is_left_out(self, host: Host) -> None:
        host.stage.write("/fake/iptables.refuses", f"{UNMOVED}\n")
        host.stage.write("/fake/iptables", LOADED)
        host.stage.write("/fake/iptables.next", LOADED.replace("2222", "2223"))
        before = host.observe(inputs())
        known = KnownState(last=inputs(), recorded=before, before=before)
        declared = inputs(rules=RULES.replace("--dport 2222", "--dport 2223").replace("-A INPUT -i lo -j ACCEPT\n", ""))
        assert UNMOVED in CHAPTER.apply(declared, known).values["transaction"]
        assert host.apply(declared, known).status == 0
        assert UNMOVED not in loads(host.stage, "iptables")[-1]

    def test_a_kernel_that_refuses_leaves_no_next_boot_file(self, host: Host) -> None:
        host.stage.program("ss", "echo State")
        host.stage.program(
            "iptables-restore",
            'case $* in *--test*) exit 0 ;; *--noflush*) echo "line: 3 failed" >&2; exit 4 ;; esac',
            reads=True,
        )
        answer = host.apply(inputs())
        assert answer.status == REFUSED
        assert answer.stdout == "armed\n"
        assert answer.stderr.startswith("line: 3 failed\nrefused: ")
        assert not host.stage.path(f"{BOOT}.next").exists()

    def test_what_changes_while_it_is_loaded_is_planned_anew_and_tracks_nothing(self, host: Host) -> None:
        host.stage.program("ss", "echo State")
        host.stage.program(
            "iptables-restore",
            'case $* in *--test*) ;; *--noflush*) echo "*filter" >/fake/iptables; exit 1 ;; esac',
            reads=True,
        )
        assert host.apply(inputs()).status == STALE
        assert loads(host.stage, "iptables")[-1] == "*filter\n-F STOCKADE-OPEN\n-X STOCKADE-OPEN\nCOMMIT\n"


class TestGoneBack:
    def test_the_rules_with_their_counters_and_no_boot_file(self, host: Host) -> None:
        host.apply(inputs())
        assert host.back().status == 0
        assert host.stage.calls("iptables-restore")[-1].arguments == ("-c", "-w", "10")
        assert host.stage.read("/fake/iptables") == BEFORE
        assert not host.stage.path(f"{BOOT}.next").exists()
        assert not host.stage.path(BOOT).exists()
        assert host.back().status == 0

    def test_the_boot_file_as_it_was(self, host: Host) -> None:
        host.stage.write(BOOT, "theirs\n", 0o604)
        host.apply(inputs())
        assert host.back().status == 0
        assert host.stage.read(BOOT) == "theirs\n"
        host.stage.write(BOOT, "ours\n")  # left by a failed commit
        assert host.back().status == 0
        assert (host.stage.read(BOOT), host.stage.path(BOOT).stat().st_mode & 0o777) == ("theirs\n", 0o604)
        assert {path.name for path in host.stage.path("/etc/iptables").iterdir()} == {"rules.v4"}

    def test_at_boot_the_old_file_is_loaded_anyway(self, host: Host) -> None:
        host.apply(inputs())
        assert host.back("boot").status == 0
        assert [call for call in host.stage.calls("iptables-restore") if "-c" in call.arguments] == []

    def test_nobody_looks_at_a_boot_that_is_not_to_come(self, host: Host) -> None:
        host.apply(inputs())
        host.stage.write(f"{FOLDER}/ipv4.next/about")
        host.stage.write(f"{FOLDER}/ipv4.new/about")
        host.stage.write(f"{FOLDER}/look")
        host.stage.write("/etc/systemd/system/stockade-firewall.service")
        assert host.back().status == 0
        assert not host.stage.path(FOLDER).exists()
        assert not host.stage.path("/etc/systemd/system/stockade-firewall.service").exists()

    def test_the_other_family_still_looks(self, host: Host) -> None:
        host.apply(inputs())
        host.stage.write(f"{FOLDER}/ipv4.next/about")
        host.stage.write(f"{FOLDER}/ipv6/about")
        host.stage.write(f"{FOLDER}/look")
        assert host.back().status == 0
        assert {path.name for path in host.stage.path(FOLDER).iterdir()} == {"ipv6", "look"}


class TestRestored:
    def test_all_as_it_was(self, host: Host) -> None:
        host.stage.write(BOOT, "theirs\n", 0o600)
        prior = host.observe(inputs())
        host.apply(inputs())
        host.commit()
        host.stage.write("/fake/iptables.next", BEFORE)
        assert host.restore(inputs(), prior).status == 0
        assert [call.arguments[0] for call in host.stage.calls("iptables-restore")] == ["-w", "-n", "--noflush"]
        assert host.stage.read("/fake/iptables") == BEFORE
        assert host.commit().status == 0
        assert host.stage.read(BOOT) == "theirs\n"
        assert unit(host.stage, "netfilter-persistent") == "disabled inactive"
        assert not host.stage.path("/var/lib/stockade/boot").exists()
        assert {path.name for path in host.stage.path("/etc/systemd/system").rglob("*stockade*")} == set()

    def test_a_unit_that_was_masked_is_again(self, host: Host) -> None:
        host.stage.write("/fake/units/netfilter-persistent.service", "masked inactive\n")
        prior = host.observe(inputs())
        host.apply(inputs())
        host.commit()
        host.restore(inputs(), prior)
        assert host.commit().status == 0
        assert unit(host.stage, "netfilter-persistent") == "masked inactive"

    @pytest.mark.parametrize("left", ["", "-A OUTPUT -j ACCEPT\n"])
    def test_a_table_that_was_not_there_goes_where_it_is_empty(self, host: Host, left: str) -> None:
        declared = inputs(rules=RULES + "*mangle\n:OUTPUT ACCEPT\n-A OUTPUT -j ACCEPT\nCOMMIT\n")
        prior = host.observe(declared)
        host.stage.write("/fake/iptables", f"{LOADED}*mangle\n:OUTPUT ACCEPT [0:0]\n{left}COMMIT\n")
        host.stage.write("/fake/nft/ip.mangle", "table ip mangle {\n}\n")
        host.guard = CHAPTER.guard(declared, KnownState(last=declared, prior=prior), ACCESS, restoring=True)
        assert host.commit().status == 0
        assert host.stage.path("/fake/nft/ip.mangle").exists() is bool(left)

    def test_rules_that_somebody_changed_are_planned_anew(self, host: Host) -> None:
        prior = host.observe(inputs())
        known = KnownState(last=inputs(), prior=prior, before=prior, reobserved=True)
        host.stage.write("/fake/iptables", LOADED)
        host.guard = CHAPTER.guard(inputs(), known, ACCESS, restoring=True)
        assert host.armed(CHAPTER.restore(inputs(), known)).status == STALE

    @pytest.mark.parametrize(
        ("controller", "program"), [("ufw", "ufw --force enable"), ("firewalld enabled active", "")]
    )
    def test_programs_whose_record_is_gone(self, host: Host, controller: str, program: str) -> None:
        host.stage.program("ufw")
        host.stage.write("/fake/units/firewalld.service", "disabled inactive\n")
        prior = RulesetFacts(saved=BEFORE, controller=controller.partition(" ")[0])
        host.guard = CHAPTER.guard(inputs(), KnownState(last=inputs(), prior=prior), ACCESS, restoring=True)
        assert host.commit().status == 0
        assert [str(call) for call in host.stage.calls("ufw")] == ([program] if program else [])
        assert unit(host.stage, "firewalld") == ("disabled inactive" if program else "enabled active")


class TestOpened:
    def test_what_closed_the_host_at_boot_goes_wherever_it_is(self, host: Host) -> None:
        nft(host.stage, ip_stockade_closed="table ip stockade_closed {\n}\n")
        iptables(host.stage, "iptables-legacy")
        closed = "*filter\n-A INPUT -j STOCKADE-CLOSED\n-A FORWARD -j STOCKADE-CLOSED-FORWARD\nCOMMIT\n"
        host.stage.write("/fake/iptables-legacy", closed)
        host.apply(inputs())
        assert host.commit().status == 0
        assert host.kept("/fake/nft") == {}
        assert loads(host.stage, "iptables-legacy") == [
            "*filter\n-D INPUT -j STOCKADE-CLOSED\n-F STOCKADE-CLOSED\n-X STOCKADE-CLOSED\nCOMMIT\n",
            "*filter\n-D FORWARD -j STOCKADE-CLOSED-FORWARD\n-F STOCKADE-CLOSED-FORWARD\n"
            "-X STOCKADE-CLOSED-FORWARD\nCOMMIT\n",
        ]
        assert [call.arguments for call in host.stage.calls("iptables-legacy-restore")] == [("-n",), ("-n",)]

    def test_another_iptables_that_cannot_open_it_is_no_reason_to_fail(self, host: Host) -> None:
        iptables(host.stage, "iptables-legacy")
        closed = "*filter\n-A INPUT -j STOCKADE-CLOSED\n-A FORWARD -j STOCKADE-CLOSED-FORWARD\nCOMMIT\n"
        host.stage.write("/fake/iptables-legacy", closed)
        host.stage.write("/fake/iptables-legacy.refuses", "STOCKADE\n")
        assert host.apply(inputs()).status == 0
        assert host.commit().status == 0
        assert len(host.stage.calls("iptables-legacy-restore")) == 2


class TestWithOthers:
    def test_they_are_recorded_and_stopped_and_the_host_is_read_again(self, host: Host) -> None:
        host.stage.program("ufw")
        host.stage.write("/etc/ufw/ufw.conf", "ENABLED=yes\n")
        declared = inputs(**TAKE_OVER)
        answer = host.apply(declared)
        assert (answer.status, answer.stdout) == (STALE, "armed\n")
        assert host.stage.read("/var/lib/stockade/filters/iptables/programs") == "ufw  \n"
        assert [str(call) for call in host.stage.calls("ufw")] == ["ufw disable"]
        host.stage.write("/etc/ufw/ufw.conf", "ENABLED=no\n")
        assert host.back().status == 0
        assert [str(call) for call in host.stage.calls("ufw")] == ["ufw --force enable"]

    def test_a_table_goes_when_our_rules_are_there_and_comes_back(self, host: Host) -> None:
        table = "table inet company {\n type filter hook input; policy drop;\n}\n"
        nft(host.stage, inet_company=table)
        prior = host.observe(inputs())
        declared = inputs(**TAKE_OVER)
        assert host.apply(declared).status == 0
        assert host.kept("/fake/nft") == {}
        assert host.stage.read("/fake/iptables") == LOADED
        host.commit()
        host.stage.write("/fake/iptables.next", BEFORE)
        assert host.restore(declared, prior).status == 0
        assert host.commit().status == 0
        assert host.stage.read("/fake/nft.loaded").endswith(table)
        assert not host.stage.path("/var/lib/stockade/filters").exists()

    def test_what_ended_along_and_does_not_start_fails(self, host: Host) -> None:
        nft(host.stage, inet_company="table inet company {\n type filter hook input; policy drop;\n}\n")
        host.stage.write("/var/lib/stockade/filters/iptables/along", "broken.service\n")
        host.stage.write("/fake/units/broken.service.fails")
        answer = host.apply(inputs(**TAKE_OVER))
        assert (answer.status, answer.stderr) == (UNSTARTED, "it is broken.service\n")
        assert not host.stage.path(f"{BOOT}.next").exists()


SETS = "create a hash:ip family inet\nadd a 192.0.2.1\ncreate b hash:net family inet\nadd b 198.51.100.0/24\n"
A = "create a hash:ip family inet\nadd a 192.0.2.1\n"
B = "create b hash:net family inet\nadd b 198.51.100.0/24\n"
FILLED = "create a hash:ip family inet\n# others fill it\n"


class TestSets:
    def marks(self, host: Host) -> dict[str, str]:
        return host.kept(f"{FOLDER}/ipv4.sets")

    def test_new_ones_are_made_before_the_rules_and_are_ours(self, host: Host) -> None:
        ipset(host.stage)
        assert host.apply(inputs(sets=SETS)).status == 0
        assert sets(host.stage) == {"a": A, "b": B}
        assert host.commit().status == 0
        assert self.marks(host) == {"a": "", "b": ""}
        assert host.kept(f"{FOLDER}/ipv4")["sets"] == SETS

    def test_others_change_when_it_is_armed_and_go_back(self, host: Host) -> None:
        theirs = "create a hash:ip family inet\nadd a 203.0.113.9 timeout 5\n"
        ipset(host.stage, a=theirs)
        declared = inputs(sets=SETS)
        assert host.apply(declared).status == 0
        assert sets(host.stage) == {"a": A, "b": B}
        assert host.stage.read(f"{GUARD}/set.a") == theirs
        assert host.back().status == 0
        assert sets(host.stage) == {"a": theirs}
        assert self.marks(host) == {}

    def test_at_boot_sets_are_not_there_to_go_back(self, host: Host) -> None:
        ipset(host.stage, a="create a hash:ip family inet\n")
        host.apply(inputs(sets=SETS))
        host.stage.forget_calls()
        assert host.back("boot").status == 0
        assert host.stage.calls("ipset") == []
        assert self.marks(host) == {}

    def test_one_that_is_as_declared_is_left_alone(self, host: Host) -> None:
        ipset(host.stage, a=A.replace("192.0.2.1\n", "192.0.2.1 timeout 7 packets 1 bytes 2\n"), b=B)
        assert host.apply(inputs(sets=SETS)).status == 0
        assert "timeout 7" in sets(host.stage)["a"]
        assert set(sets(host.stage)) == {"a", "b"}

    def test_one_that_others_fill_is_left_alone(self, host: Host) -> None:
        theirs = "create a hash:ip family inet\nadd a 203.0.113.9\n"
        ipset(host.stage, a=theirs)
        declared = inputs(sets=FILLED)
        values = CHAPTER.apply(declared, known_of(host.observe(declared))).values
        assert values["filled"] == "a", values
        assert host.apply(declared).status == 0
        assert sets(host.stage) == {"a": theirs}
        assert host.commit().status == 0
        assert self.marks(host) == {"a": "found\n"}
        host.stage.write("/fake/ipset/a", "create a hash:ip family inet\n")
        assert host.back().status == 0
        assert sets(host.stage) == {"a": "create a hash:ip family inet\n"}

    def test_rules_that_look_at_one_notice_nothing(self, host: Host) -> None:
        ipset(host.stage, a="create a hash:ip family inet\nadd a 203.0.113.9\n", b=B)
        host.stage.write("/fake/ipset.used/a")
        assert host.apply(inputs(sets=SETS)).status == 0
        assert sets(host.stage) == {"a": A, "b": B}

    @pytest.mark.parametrize("used", [True, False])
    def test_one_of_another_kind_is_taken_where_nothing_looks_at_it(self, host: Host, used: bool) -> None:
        theirs = "create a hash:net family inet\nadd a 203.0.113.0/24\n"
        ipset(host.stage, a=theirs)
        if used:
            host.stage.write("/fake/ipset.used/a")
        answer = host.apply(inputs(sets=A))
        if not used:
            assert answer.status == 0
            assert sets(host.stage) == {"a": A}
            assert host.back().status == 0
        else:
            assert (answer.status, answer.stderr) == (SET_TAKEN, "it is a: hash:net inet\n")
        assert sets(host.stage) == {"a": theirs}
        assert not host.stage.path(FOLDER).exists()

    def test_one_that_is_refused_leaves_nothing(self, host: Host) -> None:
        ipset(host.stage)
        before = host.observe(inputs(sets=SETS))
        host.stage.program("ipset", host.stage.read("/usr/local/sbin/ipset").replace("nonsense", "198.51"))
        answer = host.apply(inputs(sets=SETS), known_of(before))
        assert answer.status == BAD_SET
        assert answer.stderr.endswith("refused: the set b\n")
        assert sets(host.stage) == {}
        assert not host.stage.path(FOLDER).exists()

    def test_what_a_run_that_died_left_is_no_hindrance(self, host: Host) -> None:
        ipset(host.stage)
        declared = inputs(sets=SETS)
        known = known_of(host.observe(declared))
        host.guard = CHAPTER.guard(declared, known, ACCESS)
        script = CHAPTER.apply(declared, known)
        left = 'echo "create stockade.$$.1 hash:ip family inet" >"/fake/ipset/stockade.$$.1"\n'
        assert host.armed(replace(script, body=left + script.body)).status == 0
        assert sets(host.stage) == {"a": A, "b": B}

    def test_without_ipset_it_ends(self, host: Host) -> None:
        assert host.apply(inputs(sets=SETS)).status == NO_SETS

    def test_rules_that_are_refused_leave_no_set_and_no_boot_file(self, host: Host) -> None:
        ipset(host.stage)
        host.stage.write("/fake/iptables.refuses", "dport 2222\n")
        assert host.apply(inputs(sets=SETS)).status == REFUSED
        assert sets(host.stage) == {}
        assert not host.stage.path(FOLDER).exists()

    def test_rules_that_are_refused_leave_no_mark_of_a_set_that_cannot_go(self, host: Host) -> None:
        ipset(host.stage)
        host.stage.write("/fake/iptables.refuses", "dport 2222\n")
        host.stage.write("/fake/ipset.used/a")
        assert host.apply(inputs(sets=SETS)).status == REFUSED
        assert sets(host.stage) == {"a": A}
        assert not host.stage.path(FOLDER).exists()

    @pytest.mark.parametrize(
        "kind", ["hash:net family inet", "hash:ip family inet6", "hash:ip hashsize 64 family inet6"]
    )
    def test_the_family_of_one_is_part_of_its_kind(self, host: Host, kind: str) -> None:
        ipset(host.stage, a=f"create a {kind}\n")
        host.stage.write("/fake/ipset.used/a")
        words = kind.split()
        told = f"it is a: {words[0]} {words[-1]}\n"
        answer = host.apply(inputs(sets=A))
        assert (answer.status, answer.stderr) == (SET_TAKEN, told)
        host.stage.write("/fake/ipset/a", "create a hash:ip hashsize 1024 family inet maxelem 9\n")
        assert host.apply(inputs(sets=A)).status == 0

    def test_one_that_is_declared_no_more_is_as_it_was(self, host: Host) -> None:
        theirs = "create a hash:ip family inet\nadd a 203.0.113.9\n"
        ipset(host.stage, a=theirs)
        host.apply(inputs(sets=SETS))
        host.commit()
        assert self.marks(host) == {"a": theirs, "b": ""}
        before = host.observe(inputs(sets=SETS))
        assert host.apply(inputs(), KnownState(last=inputs(sets=SETS), recorded=before, before=before)).status == 0
        assert host.commit().status == 0
        assert sets(host.stage) == {"a": theirs}
        assert self.marks(host) == {}

    def test_one_that_others_look_at_stays(self, host: Host) -> None:
        ipset(host.stage)
        prior = host.observe(inputs(sets=SETS))
        host.apply(inputs(sets=SETS))
        host.commit()
        host.stage.write("/fake/ipset.used/b")
        host.restore(inputs(sets=SETS), prior)
        answer = host.commit()
        assert (answer.status, answer.stderr) == (0, "the set b stays: rules of other programs use it\n")
        assert sets(host.stage) == {"b": B}
        assert not host.stage.path(FOLDER).exists()


class TestSysVInit:
    @pytest.fixture
    def red_hat(self, host: Host) -> Host:
        host.stage.write("/etc/os-release", "ID=centos\nVERSION_ID=6\n")
        host.stage.path("/run/systemd/system").rmdir()
        host.stage.program("chkconfig")
        host.stage.program("service", "exit 3")
        host.stage.write("/etc/rc.d/init.d/iptables", mode=0o755)
        host.stage.write("/etc/init.d/iptables", mode=0o755)
        host.stage.folder(*(f"/etc/rc.d/rc{level}.d" for level in range(7)), "/var/lock/subsys")
        return host

    def links(self, host: Host) -> list[str]:
        etc = host.stage.path("/etc")
        return sorted(str(path.relative_to(etc)) for path in etc.rglob("S*stockade*"))

    def test_red_hat_looks_by_the_links_of_one_script(self, red_hat: Host) -> None:
        prior = red_hat.observe(inputs())
        assert red_hat.apply(inputs()).status == 0
        assert red_hat.commit().status == 0
        script = red_hat.stage.path("/etc/rc.d/init.d/stockade-firewall")
        assert script.read_text().startswith("#!/bin/sh\n# chkconfig: 2345 09 99\n")
        assert script.stat().st_mode & 0o777 == 0o755
        assert self.links(red_hat) == [
            f"rc.d/rc{level}.d/S{number}stockade-firewall" for level in (2, 3, 4, 5) for number in ("07", "09", "99")
        ]
        assert red_hat.observe(inputs()).look
        assert red_hat.stage.path("/var/lock/subsys/iptables").exists()
        red_hat.stage.write("/fake/iptables.next", BEFORE)
        red_hat.restore(inputs(), prior)
        assert red_hat.commit().status == 0
        assert self.links(red_hat) == []
        assert not script.exists()
        assert not red_hat.stage.path("/var/lock/subsys/iptables").exists()

    def test_a_service_that_ran_before_keeps_running(self, red_hat: Host) -> None:
        red_hat.stage.write("/var/lock/subsys/iptables")
        prior = red_hat.observe(inputs())
        red_hat.apply(inputs())
        red_hat.commit()
        red_hat.stage.write("/fake/iptables.next", BEFORE)
        red_hat.restore(inputs(), prior)
        red_hat.commit()
        assert red_hat.stage.path("/var/lock/subsys/iptables").exists()

    @pytest.mark.parametrize("insserv", ["yes", "no", "legacy"])
    def test_debian_looks_by_three_scripts(self, host: Host, insserv: str) -> None:
        host.stage.write("/etc/os-release", "ID=debian\nVERSION_ID=7\n")
        host.stage.path("/run/systemd/system").rmdir()
        host.stage.program("update-rc.d")
        host.stage.program("service", "exit 3")
        host.stage.write("/etc/init.d/iptables-persistent", mode=0o755)
        host.stage.folder("/etc/rcS.d", *(f"/etc/rc{level}.d" for level in (2, 3, 4, 5)))
        if insserv != "no":
            host.stage.program("/sbin/insserv")
        if insserv == "legacy":
            host.stage.write("/etc/init.d/.legacy-bootordering")
        prior = host.observe(inputs())
        assert host.apply(inputs()).status == 0
        assert host.commit().status == 0
        scripts = ["stockade-sets", "stockade-firewall", "stockade-firewall-again"]
        for name in scripts:
            assert f"# Provides: {name}\n" in host.stage.read(f"/etc/init.d/{name}")
        asked = [str(call) for call in host.stage.calls("update-rc.d") if "stockade" in str(call)]
        if insserv == "yes":
            assert asked == [f"update-rc.d {name} defaults" for name in scripts]
        else:
            assert asked == []
            assert self.links(host) == [
                *(f"rc{level}.d/S99stockade-firewall-again" for level in (2, 3, 4, 5)),
                *("rcS.d/S36stockade-sets", "rcS.d/S38stockade-firewall"),
            ]
            assert host.observe(inputs()).look
        host.stage.write("/fake/iptables.next", BEFORE)
        host.restore(inputs(), prior)
        assert host.commit().status == 0
        assert self.links(host) == []
        assert not [name for name in scripts if host.stage.path(f"/etc/init.d/{name}").exists()]
        gone = [str(call) for call in host.stage.calls("update-rc.d") if "remove" in str(call)]
        assert gone == ([] if insserv == "no" else [f"update-rc.d {name} remove" for name in scripts])


def test_both_families_change_one_after_the_other(host: Host) -> None:
    """Neither removes what the other installs: a lock separates them."""
    host.apply(inputs())
    host.stage.folder("/run/stockade")
    holder = subprocess.Popen(
        host.stage.command("flock", "/run/stockade/boot", "sh", "-c", "echo held; cat; echo let go >>/order"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    assert holder.stdin
    assert holder.stdout.readline() == "held\n"
    values = {**host.guard.values, "guard": GUARD, "occasion": ""}
    body = f"{host.guard.commit}\necho done >>/order"
    commit = Thread(target=lambda: host.stage.one(Script("commit", body, values)))
    commit.start()
    while commit.is_alive() and "flock 7" not in host.stage.processes():
        pass
    holder.communicate("")
    commit.join()
    assert host.stage.read("/order") == "let go\ndone\n"

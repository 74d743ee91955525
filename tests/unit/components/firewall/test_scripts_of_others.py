"""The scripts that find, take over and restore other firewalls on a host."""

import pytest

from components.firewall.controllers.others import KEPT_TABLES, PROGRAMS
from hosts.scripts import script
from hosts.shell import Answer, Script
from tests.shell_room import Stage
from tests.unit.components.firewall.programs import ipset, iptables, nft, systemctl, unit

FILTERS = "/var/lib/stockade/filters"
DROPS = "table inet {name} {{\n\tchain in {{\n\t\ttype filter hook input priority filter; policy {policy};\n\t}}\n}}\n"
COMPANY = DROPS.format(name="company", policy="drop")
QUIET = """\
[Service]
ExecStartPre=
ExecStart=
ExecStartPost=
ExecStop=
ExecStopPost=
ExecStart=/bin/true
"""


def found(stage: Stage, saved: str = "", tool: str = "iptables") -> list[str]:
    """Return the lines about other firewalls."""
    family = "ip" if tool == "iptables" else "ip6"
    values = {"tool": tool, "nft_family": family, "programs": " ".join(PROGRAMS), "kept_tables": "\n".join(KEPT_TABLES)}
    body = script("components/firewall/controllers/find.sh") + 'others "$saved"'
    answer = stage.one(Script("look", body, {**values, "saved": saved}))
    assert (answer.status, answer.stderr) == (0, "")
    return answer.stdout.splitlines()


def do(stage: Stage, call: str, take: str = "", tool: str = "iptables", **values: str) -> Answer:
    """Run functions for taking over."""
    body = f'{script("components/firewall/controllers/take_over.sh")}{call}\necho "end"'
    given = {
        "tool": tool,
        "nft_family": "ip" if tool == "iptables" else "ip6",
        "take": take,
        "other_transaction": "*filter\n-D INPUT 1\nCOMMIT",
        "other_back": "*filter\n-I INPUT 1 -j DROP\nCOMMIT",
        "lock_wait": "10",
        **values,
    }
    return stage.one(Script("change", body, given))


class TestFound:
    def test_nobody(self, stage: Stage) -> None:
        iptables(stage)
        assert found(stage) == []

    @pytest.mark.parametrize(("conf", "lines"), [("ENABLED=yes", ["ufw"]), ("ENABLED=no", []), ("#ENABLED=yes", [])])
    def test_ufw_has_a_switch(self, stage: Stage, conf: str, lines: list[str]) -> None:
        iptables(stage)
        stage.program("ufw")
        stage.write("/etc/ufw/ufw.conf", f"{conf}\n")
        assert found(stage, "*filter\n:ufw-before-input - [0:0]\n") == lines

    @pytest.mark.parametrize("chain", ["ufw-before-input", "ufw6-before-input"])
    def test_ufw_may_be_gone_and_its_rules_not(self, stage: Stage, chain: str) -> None:
        iptables(stage)
        assert found(stage, f"*filter\n:{chain} - [0:0]\n") == ["ufw-left"]

    @pytest.mark.parametrize("place", ["/etc/systemd/system", "/run/systemd/system"])
    def test_a_program_that_filters_now_or_from_the_next_boot(self, stage: Stage, place: str) -> None:
        iptables(stage)
        filtering = (
            *("enabled inactive", "enabled-runtime inactive", "generated inactive"),
            *("disabled active", "static activating", "static reloading"),
        )
        for state in (*filtering, "disabled inactive", "masked failed"):
            systemctl(stage, ferm=state)
            stage.write(f"{place}/ferm.service")
            assert found(stage) == ([f"ferm {state}"] if state in filtering else [])

    def test_a_script_of_sysv_init(self, stage: Stage) -> None:
        iptables(stage)
        stage.program("service", "exit 3")
        stage.write("/etc/init.d/shorewall", mode=0o755)
        assert found(stage) == []
        stage.write("/etc/rc2.d/S01shorewall")
        assert found(stage) == ["shorewall enabled inactive"]

    def test_firewalld_without_its_settings_is_none(self, stage: Stage) -> None:
        iptables(stage)
        systemctl(stage, firewalld="enabled active", ferm="enabled active")
        stage.write("/etc/systemd/system/firewalld.service")
        stage.write("/etc/systemd/system/ferm.service")
        assert found(stage) == ["ferm enabled active"]
        stage.folder("/etc/firewalld")
        assert found(stage) == ["firewalld enabled active", "ferm enabled active"]

    @pytest.mark.parametrize(
        ("file", "line", "flush"),
        [
            ("/etc/nftables.conf", "flush ruleset", " flush"),
            ("/etc/nftables.d/own", "  flush   ruleset", " flush"),
            ("/etc/nftables.conf", "# flush ruleset", ""),
            ("/etc/nftables.conf", "flush table x", ""),
        ],
    )
    def test_nftables_may_flush_what_others_loaded(self, stage: Stage, file: str, line: str, flush: str) -> None:
        iptables(stage)
        systemctl(stage, nftables="enabled inactive", ferm="enabled inactive")
        stage.write("/etc/systemd/system/nftables.service")
        stage.write("/etc/systemd/system/ferm.service")
        stage.write(file, f"{line}\n")
        assert found(stage) == [f"nftables enabled inactive{flush}", "ferm enabled inactive"]

    def test_a_table_of_nftables_that_drops(self, stage: Stage) -> None:
        iptables(stage)
        refusing = COMPANY.replace("policy drop", "policy accept; tcp dport 80 reject")
        for family, name, text, line in (
            ("inet", "company", COMPANY, "table inet company"),
            ("netdev", "edge", refusing, "table netdev edge"),
            ("ip", "mine", COMPANY, "table ip mine"),
            ("ip6", "mine", COMPANY, ""),
            ("bridge", "mine", COMPANY, ""),
            ("inet", "open", DROPS.format(name="open", policy="accept"), ""),
            ("inet", "dropped", DROPS.format(name="dropped", policy="accept; counter dropped"), ""),
            ("inet", "route", COMPANY.replace("type filter", "type route"), ""),
            ("ip", "filter", COMPANY, ""),
            ("ip", "security", COMPANY, ""),
            ("inet", "filter", COMPANY, "table inet filter"),
            ("inet", "f2b-table", COMPANY, "beside inet f2b-table"),
            ("ip", "docker-x", COMPANY, "beside ip docker-x"),
            ("ip", "stockade_closed", COMPANY, "beside ip stockade_closed"),
        ):
            nft(stage, **{f"{family}_{name}": text})
            assert found(stage) == ([line] if line else [])
            stage.path(f"/fake/nft/{family}.{name}").unlink()

    def test_ipv6_has_tables_of_its_own(self, stage: Stage) -> None:
        iptables(stage)
        nft(stage, ip_mine=COMPANY, ip6_mine=COMPANY, ip6_filter=COMPANY, ip6_raw=COMPANY)
        assert found(stage, tool="ip6tables") == ["table ip6 mine"]

    @pytest.mark.parametrize(("chain", "lines"), [("in", ["table ip filter"]), ("INPUT", ["native ip filter"])])
    def test_a_table_in_the_place_of_ours_that_iptables_cannot_read(
        self, stage: Stage, chain: str, lines: list[str]
    ) -> None:
        iptables(stage)
        nft(stage, ip_filter=COMPANY.replace("chain in ", f"chain {chain} "))
        assert found(stage, "# Table `filter' is incompatible, use 'nft' tool.\n") == lines

    @pytest.mark.parametrize(
        ("rules", "line"),
        [
            ("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\nCOMMIT\n", True),
            ("*filter\n:INPUT DROP [0:0]\nCOMMIT\n", True),
            ("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", False),
        ],
    )
    def test_the_other_iptables(self, stage: Stage, rules: str, line: bool) -> None:
        iptables(stage, version="iptables v1.8.9 (legacy)")
        iptables(stage, "iptables-nft")
        stage.write("/fake/iptables-nft", f"# at some time\n{rules}")
        shown = found(stage)
        assert [one.rpartition(" ")[0] for one in shown] == (["other nft"] if line else [])
        stage.write("/fake/iptables-nft", f"# later\n{rules.replace('[0:0]', '[7:99]')}")
        assert found(stage) == shown
        stage.path("/usr/local/sbin/iptables-nft-save").unlink()
        assert found(stage) == []

    def test_iptables_legacy_is_not_asked_where_the_kernel_has_none_of_it(self, stage: Stage) -> None:
        iptables(stage)
        iptables(stage, "iptables-legacy")
        stage.write("/fake/iptables-legacy", "*filter\n:INPUT DROP [0:0]\nCOMMIT\n")
        assert found(stage) == []
        assert stage.calls("iptables-legacy-save") == []

    def test_the_other_ones_rules_are_shown(self, stage: Stage) -> None:
        iptables(stage, version="iptables v1.8.9 (legacy)")
        body = script("components/firewall/controllers/find.sh") + "show_other"
        values = {"tool": "iptables", "nft_family": "ip", "programs": "", "kept_tables": ""}
        assert stage.one(Script("show", body, values)).stdout == ""
        iptables(stage, "iptables-nft")
        stage.write("/fake/iptables-nft", "*filter\nCOMMIT\n")
        assert stage.one(Script("show", body, values)).stdout == "*filter\nCOMMIT\n"


class TestTakenOver:
    def test_it_is_recorded_once(self, stage: Stage) -> None:
        iptables(stage)
        nft(stage, inet_company=COMPANY, ip_two=COMPANY.replace("inet company", "ip two"))
        systemctl(stage, firewalld="enabled active", fail2ban="enabled active", partly="enabled inactive")
        stage.write("/fake/units/firewalld.service.along", "fail2ban.service partly.service\n")
        take = "ufw\nufw-left\nfirewalld enabled active\ntable inet company\ntable ip two\nother legacy 12-3"
        assert do(stage, "record_taken\nrecord_taken", take).status == 0
        shown = {file.name: file.read_text() for file in stage.path(f"{FILTERS}/iptables").iterdir()}
        assert shown == {
            "programs": "ufw  \nfirewalld enabled active\n" * 2,
            "tables": COMPANY + COMPANY.replace("inet company", "ip two"),
            "other": "*filter\n-I INPUT 1 -j DROP\nCOMMIT\n",
            "along": "fail2ban.service\n" * 2,
        }
        assert stage.path(FILTERS).stat().st_mode & 0o777 == 0o700

    def test_nothing_is_nothing(self, stage: Stage) -> None:
        iptables(stage)
        assert do(stage, "record_taken; take_rest; start_along; give_back").stdout == "end\n"
        assert not stage.path(FILTERS).exists()

    def test_those_that_change_our_rules_go_first(self, stage: Stage) -> None:
        tables = "table inet filter\ntable ip nat\ntable ip6 nat\ntable ip own"
        take = f"ufw\nnftables enabled active flush\n{tables}\nother x 1"
        assert do(stage, "first_taken", take).stdout == "ufw\nnftables enabled active flush\ntable ip nat\nend\n"
        assert do(stage, "first_taken", take, "ip6tables").stdout.splitlines()[2] == "table ip6 nat"

    def test_they_are_stopped_and_the_host_is_read_again(self, stage: Stage) -> None:
        iptables(stage)
        nft(stage, ip_nat=COMPANY, inet_company=COMPANY)
        systemctl(stage, ferm="enabled active", nftables="enabled active")
        stage.program("ufw")
        take = "ufw\nferm enabled active\nnftables enabled active flush\ntable ip nat\ntable inet company"
        answer = do(stage, "take_first", take)
        assert (answer.status, answer.stdout) == (75, "")
        assert unit(stage, "ferm") == "masked inactive"
        assert unit(stage, "nftables") == "masked inactive"
        assert stage.read("/fake/units/nftables.service.quiet") == QUIET  # otherwise it would flush the rules
        assert not stage.path("/run/systemd/system/nftables.service.d").exists()
        assert [str(call) for call in stage.calls("ufw")] == ["ufw disable"]
        assert [file.name for file in stage.path("/fake/nft").iterdir()] == ["inet.company"]

    def test_a_service_of_the_administrators_own_cannot_be_masked(self, stage: Stage) -> None:
        iptables(stage)
        systemctl(stage, ferm="enabled active", nftables="enabled active")
        for name in ("ferm", "nftables"):
            stage.write(f"/fake/units/{name}.service.own")
        assert do(stage, "take_first", "nftables enabled active\nferm enabled active").status == 75
        assert (unit(stage, "ferm"), unit(stage, "nftables")) == ("disabled inactive", "disabled inactive")

    @pytest.mark.parametrize("waits", [True, False])
    def test_what_ufw_left_goes(self, stage: Stage, waits: bool) -> None:
        iptables(stage)
        rules = (
            "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:ufw-before-input - [0:0]\n:mine - [0:0]\n"
            "-A INPUT -j ufw-before-input\n-A ufw-before-input -j ACCEPT\n-A INPUT -j mine\nCOMMIT\n"
        )
        stage.write("/fake/iptables", rules)
        assert do(stage, "take_first", "ufw-left", lock_wait="10" if waits else "").status == 75
        assert stage.read("/fake/iptables") == (
            "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:mine - [0:0]\n-A INPUT -j mine\nCOMMIT\n"
        )
        [call] = stage.calls("iptables-restore")
        assert call.arguments == (("-c", "-w", "10") if waits else ("-c",))

    def test_without_systemd_a_program_is_stopped_by_its_script(self, stage: Stage) -> None:
        iptables(stage)
        stage.program("service")
        stage.program("update-rc.d")
        stage.write("/etc/init.d/shorewall", mode=0o755)
        assert do(stage, "take_first", "shorewall enabled active").status == 75
        assert [str(call) for call in stage.calls("service", "update-rc.d")] == [
            "update-rc.d shorewall disable",
            "service shorewall stop",
        ]

    def test_the_rest_goes_when_our_rules_are_in_force(self, stage: Stage) -> None:
        iptables(stage, version="iptables v1.8.9 (legacy)")
        iptables(stage, "iptables-nft")
        nft(stage, inet_company=COMPANY, inet_other=COMPANY)
        answer = do(stage, "take_rest", "ufw\ntable inet company\ntable inet gone\nother nft 1-2")
        assert (answer.status, answer.stdout) == (0, "end\n")
        assert [file.name for file in stage.path("/fake/nft").iterdir()] == ["inet.other"]
        [call] = stage.calls("iptables-nft-restore")
        assert (call.arguments, call.stdin) == (("--noflush", "-w", "10"), "*filter\n-D INPUT 1\nCOMMIT\n")

    def test_what_ended_along_starts_again(self, stage: Stage) -> None:
        iptables(stage)
        systemctl(stage, fail2ban="enabled inactive", partly="enabled inactive")
        stage.write(f"{FILTERS}/iptables/along", "partly.service\nfail2ban.service\npartly.service\n")
        assert do(stage, "start_along").status == 0
        assert (unit(stage, "fail2ban"), unit(stage, "partly")) == ("enabled active", "enabled active")
        assert [str(call) for call in stage.calls("systemctl") if "start" in call.arguments] == [
            "systemctl start fail2ban.service",
            "systemctl start partly.service",
        ]
        assert stage.read(f"{FILTERS}/iptables/along") == ""
        stage.write(f"{FILTERS}/iptables/along", "fail2ban.service\n")
        stage.write("/fake/units/fail2ban.service.fails")
        answer = do(stage, "start_along || echo no")
        assert (answer.stdout, answer.stderr) == ("no\nend\n", "it is fail2ban.service\n")
        assert stage.read(f"{FILTERS}/iptables/along") == "fail2ban.service\n"


class TestGivenBack:
    @pytest.fixture
    def taken(self, stage: Stage) -> Stage:
        """A host on which firewalls of all kinds were taken over."""
        iptables(stage, version="iptables v1.8.9 (legacy)")
        iptables(stage, "iptables-nft")
        nft(stage)
        ipset(stage)
        stage.program("ufw")
        systemctl(stage, ferm="masked inactive", nftables="masked inactive", fail2ban="enabled inactive")
        stage.write(
            f"{FILTERS}/iptables/programs",
            "ufw  \nferm enabled active\nnftables enabled active\n",
        )
        stage.write(f"{FILTERS}/iptables/tables", COMPANY)
        stage.write(f"{FILTERS}/iptables/other", "*filter\n-A INPUT -j DROP\nCOMMIT\n")
        stage.write(f"{FILTERS}/iptables/along", "fail2ban.service\n")
        return stage

    def test_all_of_it(self, taken: Stage) -> None:
        assert do(taken, "give_back").status == 0
        assert taken.read("/fake/nft.loaded") == f"add table inet company\ndelete table inet company\n{COMPANY}"
        [call] = taken.calls("iptables-nft-restore")
        assert (call.arguments, call.stdin) == (("--noflush",), "*filter\n-A INPUT -j DROP\nCOMMIT\n")
        assert [str(call) for call in taken.calls("ufw")] == ["ufw --force enable"]
        assert {name: unit(taken, name) for name in ("ferm", "nftables", "fail2ban")} == {
            "ferm": "enabled active",
            "nftables": "enabled active",
            "fail2ban": "enabled active",
        }
        assert taken.read("/fake/units/nftables.service.quiet") == QUIET
        assert not taken.path("/fake/units/ferm.service.quiet").exists()
        assert not taken.path(FILTERS).exists()

    def test_what_the_other_family_took_over_stays(self, taken: Stage) -> None:
        taken.write(f"{FILTERS}/ip6tables/programs", "")
        assert do(taken, "give_back").status == 0
        assert [file.name for file in taken.path(FILTERS).iterdir()] == ["ip6tables"]

    def test_at_boot_nothing_is_waited_for(self, taken: Stage) -> None:
        assert do(taken, "give_back", occasion="boot").status == 0
        assert not taken.path("/fake/nft.loaded").exists()
        assert taken.calls("iptables-nft-restore") == []
        starts = [str(call) for call in taken.calls("systemctl") if "start" in call.arguments]
        assert starts == ["systemctl --no-block start ferm", "systemctl --no-block start nftables"]
        assert unit(taken, "ferm") == "enabled active"
        assert not taken.path("/fake/units/nftables.service.quiet").exists()  # at boot, its rules must be loaded
        assert not taken.path(FILTERS).exists()

    @pytest.mark.parametrize("occasion", ["now", "boot"])
    def test_what_was_not_running_is_not_started(self, taken: Stage, occasion: str) -> None:
        taken.write(f"{FILTERS}/iptables/programs", "ferm disabled inactive\nnftables disabled inactive\n")
        taken.write(f"{FILTERS}/iptables/along", "")
        assert do(taken, "give_back", occasion=occasion).status == 0
        assert (unit(taken, "ferm"), unit(taken, "nftables")) == ("disabled inactive", "disabled inactive")
        assert not [call for call in taken.calls("systemctl") if "start" in call.arguments]

    def test_nftables_that_runs_already_is_left_alone(self, taken: Stage) -> None:
        taken.write("/fake/units/nftables.service", "masked active\n")
        assert do(taken, "give_back").status == 0
        assert not taken.path("/fake/units/nftables.service.quiet").exists()

    def test_ufw_may_be_gone_by_then(self, taken: Stage) -> None:
        taken.path("/usr/local/sbin/ufw").unlink()
        assert do(taken, "give_back").status == 0
        assert unit(taken, "ferm") == "enabled active"

    def test_the_other_iptables_may_be_the_only_one_by_then(self, taken: Stage) -> None:
        iptables(taken, "iptables-legacy")
        taken.write("/fake/iptables.version", "iptables v1.8.9 (nf_tables)\n")
        assert do(taken, "give_back").status == 0
        assert len(taken.calls("iptables-legacy-restore")) == 1

    def test_it_is_what_comes_after_going_back(self, taken: Stage) -> None:
        body = script("components/firewall/controllers/give_back.sh")
        values = {"tool": "iptables", "nft_family": "ip", "occasion": "timer", "lock_wait": ""}
        assert taken.one(Script("back", body, values)).status == 0
        assert not taken.path(FILTERS).exists()


class TestCause:
    SHOW = (
        "Id=nftables.service\nExecStart={{ path=/usr/sbin/nft ; }}\nStateChangeTimestamp={new}\n\n"
        "Id=cron.service\nStateChangeTimestamp={new}\n\n"
        "Id=apt.service\nExecReload=/usr/sbin/ip6tables\nStateChangeTimestamp={old}\n\n"
        "Id=loader.service\nExecStart=/usr/sbin/netfilter\nStateChangeTimestamp={new}\n\n"
        "Id=stockade-guard.service\nStateChangeTimestamp={new}\n\n"
        "Id=never.service\nExecStart=/usr/sbin/nft\nStateChangeTimestamp=\n\n"
        "Id=last.service\nExecReload=/usr/sbin/ufw\nStateChangeTimestamp={new}\n"
    )

    def cause(self, stage: Stage, saved: str) -> str:
        body = script("components/firewall/controllers/cause.sh") + 'cause "$saved"'
        values = {"boot": "/etc/rules", "boot_unit": "loader", "saved": saved}
        answer = stage.one(Script("ask", body, values))
        assert answer.status == 0
        return answer.stdout

    @pytest.mark.parametrize(
        ("saved", "boot"),
        [
            ("-A INPUT -i lo -j ACCEPT\n", "# Written by Stockade: x\n-A INPUT -j DROP\n"),
            ("-A INPUT -j REJECT --reject-with x\n", "# Written by Stockade: x\n-A INPUT -j DROP\n"),
            ("", "# somebody's\n-A INPUT -j DROP\n"),
            ("", "# Written by Stockade: x\n-A OUTPUT -j DROP\n"),
        ],
    )
    def test_rules_that_are_there_or_were_never_ours_have_none(self, stage: Stage, saved: str, boot: str) -> None:
        stage.write("/etc/rules", boot)
        assert self.cause(stage, saved) == ""

    def test_what_started_since_and_those_that_load_rules_first(self, stage: Stage) -> None:
        stage.write("/etc/rules", "# Written by Stockade: x\n-A INPUT -j DROP\n")
        assert self.cause(stage, "-A INPUT -j f2b-sshd\n") == "emptied\n"  # there is no systemd to ask
        systemctl(stage)
        stage.execute("touch", "-d", "2026-05-04 03:02:01 UTC", "/etc/rules")
        times = {"new": "Mon 2026-05-04 03:02:01 UTC", "old": "Mon 2026-05-04 03:02:00 UTC"}
        stage.write("/fake/units/show", self.SHOW.format(**times))
        assert self.cause(stage, "") == (
            "emptied\n1 last.service 2026-05-04T03:02:01Z\n1 nftables.service 2026-05-04T03:02:01Z\n"
            "2 cron.service 2026-05-04T03:02:01Z\n"
        )

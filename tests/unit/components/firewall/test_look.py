"""The look at the rules when a host boots, in each case."""

import pytest

from components.firewall.boot.installed import FOLDER, debian_init, look_program
from hosts.shell import assigned
from tests.shell_room import Stage
from tests.unit.components.firewall.programs import ipset, iptables, loads, nft, systemctl

BOOT = "/etc/iptables/rules.v4"
SAVED = """\
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:CHECK - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
"""
EXPECTED = """\
filter :INPUT DROP
filter :FORWARD ACCEPT
filter :CHECK -
filter -A INPUT -i lo -j ACCEPT
filter -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
"""
EMPTY = "*filter\n:INPUT ACCEPT [0:0]\n:CHECK - [0:0]\nCOMMIT\n"
DOORS = "eth+ 22 203.0.113.0/24 accept\n- 22 - drop\n- 2222 - accept\n"
OPEN = """\
-A STOCKADE-CLOSED -s 203.0.113.0/24 -i eth+ -p tcp --dport 22 -j ACCEPT
-A STOCKADE-CLOSED -p tcp --dport 22 -j DROP
-A STOCKADE-CLOSED -p tcp --dport 2222 -j ACCEPT
"""
CLOSED = f"""\
*filter
:STOCKADE-CLOSED - [0:0]
-A STOCKADE-CLOSED -i lo -j ACCEPT
-A STOCKADE-CLOSED -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A STOCKADE-CLOSED -p icmp --icmp-type 3 -j ACCEPT
-A STOCKADE-CLOSED -p icmp --icmp-type 8 -j ACCEPT
-A STOCKADE-CLOSED -p icmp --icmp-type 11 -j ACCEPT
-A STOCKADE-CLOSED -p icmp --icmp-type 12 -j ACCEPT
{OPEN}-A STOCKADE-CLOSED -j REJECT
-I INPUT 1 -j STOCKADE-CLOSED
COMMIT
"""
FORWARD = """\
:STOCKADE-CLOSED-FORWARD - [0:0]
-A STOCKADE-CLOSED-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A STOCKADE-CLOSED-FORWARD -j REJECT
-I FORWARD 1 -j STOCKADE-CLOSED-FORWARD
"""
NEIGHBOURS = (
    *(f"-p icmpv6 --icmpv6-type {kind}" for kind in (1, 2, 3, 4, 128, 129, 133, 134, 135, 136)),
    *(f"-s fe80::/10 -p icmpv6 --icmpv6-type {kind}" for kind in (130, 131, 132, 143)),
    "-s fe80::/10 -p udp --dport 546",
)
BUT_FOR = "CLOSED but for TCP port 22, 2222, because the declared rules are not in force: "


def kept(stage: Stage, folder: str = "ipv4", expected: str = EXPECTED, **about: str) -> None:
    """Keep a family for the next boot, as `keep.sh` does."""
    tool = "iptables" if folder.startswith("ipv4") else "ip6tables"
    values = {"tool": tool, "boot": BOOT, "unit": "loader", "forward": "", "neighbours": "", **about}
    stage.write(f"{FOLDER}/{folder}/about", assigned(values))
    stage.write(f"{FOLDER}/{folder}/expected", expected)
    stage.write(f"{FOLDER}/{folder}/version", "iptables v1.8.9 (nf_tables)\n")
    stage.write(f"{FOLDER}/{folder}/doors", DOORS)
    stage.write(f"{FOLDER}/look", look_program())


def look(stage: Stage, which: str = "first") -> str:
    """Look; return what it recorded, without times."""
    stage.path(f"{FOLDER}/log").unlink(missing_ok=True)
    stage.execute("/bin/sh", f"{FOLDER}/look", which)
    return "".join(line.partition(" ")[2] + "\n" for line in stage.read(f"{FOLDER}/log").splitlines())


@pytest.fixture
def booted(stage: Stage) -> Stage:
    """A host whose rules were not loaded, although nothing prevents that."""
    iptables(stage)
    systemctl(stage, loader="enabled active")
    stage.program("logger")
    kept(stage)
    stage.write(BOOT, "*filter\n-A INPUT -j ACCEPT\nCOMMIT\n")
    stage.write("/fake/iptables", EMPTY)
    return stage


@pytest.mark.parametrize("which", ["first", "second"])
def test_rules_that_are_in_force_are_left_alone(booted: Stage, which: str) -> None:
    booted.write("/fake/iptables", SAVED.replace(":FORWARD", "-A INPUT -j f2b\n:FORWARD"))
    assert look(booted, which) == ""
    assert booted.calls("iptables-restore", "logger") == []


def test_rules_that_are_in_force_again_are_told_and_forgotten(booted: Stage) -> None:
    booted.write("/fake/iptables", SAVED)
    booted.write(f"{FOLDER}/ipv4.closed", "some reason\n")
    assert look(booted, "second") == "firewall ipv4: the rules are in force now\n"
    assert not booted.path(f"{FOLDER}/ipv4.closed").exists()


def test_what_an_earlier_boot_told_is_forgotten(booted: Stage) -> None:
    booted.write("/fake/iptables", SAVED)
    booted.write(f"{FOLDER}/ipv4.closed", "some reason\n")
    assert look(booted) == ""
    assert not booted.path(f"{FOLDER}/ipv4.closed").exists()


def test_a_host_without_them_is_closed_but_for_the_way_in(booted: Stage) -> None:
    told = look(booted)
    reason = (
        f"{BOOT} can be loaded, but loader did not, or others took away what it loaded; the first that is missing: "
        "the policy DROP of filter/INPUT"
    )
    assert told == f"firewall ipv4: {BUT_FOR}{reason}\n"
    assert loads(booted, "iptables") == [CLOSED]
    assert booted.calls("iptables-restore")[-1].arguments == ("-n",)
    assert booted.read(f"{FOLDER}/ipv4.closed") == f"{reason}\n"
    assert booted.calls("logger")[0].arguments == ("-t", "stockade", "-p", "auth.warning", told.strip())


@pytest.mark.parametrize(
    ("saved", "missing"),
    [
        (SAVED.replace("INPUT DROP", "INPUT ACCEPT"), "the policy DROP of filter/INPUT"),
        (SAVED.replace(":CHECK - [0:0]\n", ""), "the chain filter/CHECK"),
        (SAVED.replace("-A INPUT -i lo -j ACCEPT\n", ""), "filter -A INPUT -i lo -j ACCEPT"),
        (SAVED.replace("--dport 22", "--dport 23"), "filter -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT"),
        (SAVED.replace("*filter", "*nat"), "the policy DROP of filter/INPUT"),
    ],
)
def test_what_is_missing_is_told(booted: Stage, saved: str, missing: str) -> None:
    booted.write("/fake/iptables", saved)
    assert look(booted).endswith(f"the first that is missing: {missing}\n")


def test_a_closed_chain_that_is_left_is_no_second_time_put_in(booted: Stage) -> None:
    kept(booted, forward="yes")
    left = "-A INPUT -j STOCKADE-CLOSED\n-A FORWARD -j STOCKADE-CLOSED-FORWARD\n"
    booted.write("/fake/iptables", SAVED.replace("COMMIT", f"{left}COMMIT"))
    assert look(booted).startswith("firewall ipv4: CLOSED")  # although all rules are in force
    again = CLOSED.replace("-I INPUT", "-D INPUT -j STOCKADE-CLOSED\n-I INPUT")
    forward = FORWARD.replace("-I FORWARD", "-D FORWARD -j STOCKADE-CLOSED-FORWARD\n-I FORWARD")
    assert loads(booted, "iptables") == [again.replace("COMMIT\n", f"{forward}COMMIT\n")]


def test_a_kernel_without_states_is_closed_all_the_same(booted: Stage) -> None:
    kept(booted, forward="yes")
    booted.write("/fake/iptables.refuses", "ctstate\n")
    assert "CLOSED but for" in look(booted)
    without = CLOSED.replace("-m conntrack --ctstate RELATED,ESTABLISHED", "-p tcp ! --syn").replace(
        "-A STOCKADE-CLOSED -j REJECT", "-A STOCKADE-CLOSED -j DROP"
    )
    forward = FORWARD.replace("-m conntrack --ctstate RELATED,ESTABLISHED", "-p tcp ! --syn").replace("REJECT", "DROP")
    assert loads(booted, "iptables")[1:] == [without.replace("COMMIT\n", f"{forward}COMMIT\n")]


@pytest.mark.parametrize("neighbours", ["", "yes"])
def test_ipv6_lets_its_neighbours_in_where_the_rules_do(booted: Stage, neighbours: str) -> None:
    booted.write("/fake/iptables", SAVED)
    kept(booted, "ipv6", neighbours=neighbours)
    assert look(booted).startswith("firewall ipv6: CLOSED")
    icmp = "".join(line for line in CLOSED.splitlines(keepends=True) if " icmp " in line)
    lines = "".join(f"-A STOCKADE-CLOSED {words} -j ACCEPT\n" for words in NEIGHBOURS) if neighbours else ""
    assert loads(booted, "ip6tables") == [CLOSED.replace(icmp, lines)]
    assert loads(booted, "iptables") == []


NFT = """\
add table {family} stockade_closed
delete table {family} stockade_closed
table {family} stockade_closed {{ chain input {{ type filter hook input priority -10; policy drop;
iif lo accept; ct state established,related accept;
{icmp}{family} saddr 203.0.113.0/24 iifname "eth*" tcp dport 22 accept;
tcp dport 22 drop;
tcp dport 2222 accept;
}}
{forward}}}
"""
NFT_FORWARD = """\
chain forward { type filter hook forward priority -10; policy drop;
        ct state established,related accept; }
"""
NFT_NEIGHBOURS = """\
icmpv6 type { 1, 2, 3, 4, 128, 129, 133, 134, 135, 136 } accept;
ip6 saddr fe80::/10 icmpv6 type { 130, 131, 132, 143 } accept;
ip6 saddr fe80::/10 udp dport 546 accept;
"""


@pytest.mark.parametrize(
    ("folder", "forward", "neighbours", "icmp"),
    [
        ("ipv4", "yes", "", "icmp type { 3, 8, 11, 12 } accept;\n"),
        ("ipv4", "", "yes", "icmp type { 3, 8, 11, 12 } accept;\n"),
        ("ipv6", "", "yes", NFT_NEIGHBOURS),
        ("ipv6", "yes", "", ""),
    ],
)
def test_where_iptables_is_gone_nft_closes(
    booted: Stage, folder: str, forward: str, neighbours: str, icmp: str
) -> None:
    booted.path(f"{FOLDER}/ipv4/about").unlink()
    kept(booted, folder, forward=forward, neighbours=neighbours)
    nft(booted)
    tool = "iptables" if folder == "ipv4" else "ip6tables"
    for program in (f"{tool}-save", f"{tool}-restore", tool):
        booted.path(f"/usr/local/sbin/{program}").unlink()
    assert look(booted) == f"firewall {folder}: {BUT_FOR}{tool}-restore is not there\n"
    family = "ip" if folder == "ipv4" else "ip6"
    shown = NFT_FORWARD if forward else ""
    assert booted.read("/fake/nft.loaded") == NFT.format(family=family, icmp=icmp, forward=shown)


def test_other_restores_are_tried_in_their_order(booted: Stage) -> None:
    iptables(booted, "iptables-nft", "iptables-legacy")
    for tool in ("iptables", "iptables-nft"):
        booted.write(f"/fake/{tool}.refuses", "STOCKADE\n")
    booted.program("nft", "exit 1")
    assert BUT_FOR in look(booted)
    assert [call.program for call in booted.calls() if call.arguments in {("-n",), ("-f", "-")}] == [
        *(["iptables-restore"] * 2),
        *(["iptables-nft-restore"] * 2),
        "nft",
        "iptables-legacy-restore",
    ]


def test_a_host_that_cannot_be_closed_says_so(booted: Stage) -> None:
    booted.write("/fake/iptables.refuses", "STOCKADE\n")
    told = look(booted)
    assert "firewall ipv4: NOT CLOSED, although the declared rules are not in force: " in told
    assert "closing failed: iptables-restore: line 2 failed" in told
    assert "; and it is OPEN: iptables-restore: line 2 failed" in booted.read(f"{FOLDER}/ipv4.closed")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (f"rm {BOOT}", f"there is no {BOOT}"),
        (f"echo '*filter' >{BOOT}", f"{BOOT} has no rules"),
        (f"echo -A nowhere >{BOOT}", f"{BOOT} cannot be loaded: iptables-restore: line 1 failed"),
        ("rm /fake/units/loader.service", f"nothing loads {BOOT}: there is no loader.service"),
        ("echo disabled inactive >/fake/units/loader.service", f"nothing loads {BOOT}: loader.service is not enabled"),
        ("echo masked inactive >/fake/units/loader.service", f"nothing loads {BOOT}: loader.service is not enabled"),
        ("rmdir /run/systemd/system", f"nothing loads {BOOT}: there is no /etc/init.d/loader"),
        ("rm /usr/local/sbin/iptables-restore", "iptables-restore is not there"),
    ],
)
def test_the_reason_is_told(booted: Stage, broken: str, reason: str) -> None:
    nft(booted)
    booted.write("/fake/iptables.refuses", "nowhere\n")
    booted.execute("/bin/sh", "-c", broken)
    assert look(booted) == f"firewall ipv4: {BUT_FOR}{reason}\n"


def test_without_systemd_a_script_of_its_init_loads_them(booted: Stage) -> None:
    booted.path("/run/systemd/system").rmdir()
    booted.write("/etc/init.d/loader", mode=0o755)
    assert f"{BOOT} can be loaded, but loader did not" in look(booted)
    done = booted.execute("/bin/sh", f"{FOLDER}/look")
    assert done.stderr.startswith("stockade: firewall ipv4: CLOSED")  # syslog is not running yet


@pytest.mark.parametrize(
    ("version", "saved", "closed"),
    [
        ("older", SAVED.replace("-m tcp ", ""), False),
        ("older", SAVED.replace("-m tcp ", "").replace("-A INPUT -i lo -j ACCEPT\n", ""), True),
        ("older", SAVED.replace("-m tcp ", "").replace("INPUT DROP", "INPUT ACCEPT"), True),
        ("", SAVED.replace("-m tcp ", ""), True),
    ],
)
def test_another_version_of_iptables_may_use_other_words(booted: Stage, version: str, saved: str, closed: bool) -> None:
    booted.write("/fake/iptables", saved)
    if version:
        booted.write(f"{FOLDER}/ipv4/version", f"{version}\n")
    assert bool(look(booted)) is closed


@pytest.mark.parametrize("other", ["ipv4.next", "ipv4.old"])
def test_a_change_that_a_reboot_cut_off_leaves_one_or_the_other_in_force(booted: Stage, other: str) -> None:
    kept(booted, other, EXPECTED.replace("--dport 22", "--dport 2200"))
    booted.write("/fake/iptables", SAVED.replace("--dport 22", "--dport 2200"))
    assert look(booted) == ""
    booted.write("/fake/iptables", EMPTY)
    assert look(booted).count("firewall ipv4: CLOSED") == 1


@pytest.mark.parametrize("only", ["ipv4.next", "ipv4.old"])
def test_between_two_renames_there_is_one_to_look_at(booted: Stage, only: str) -> None:
    booted.path(f"{FOLDER}/ipv4").rename(booted.path(f"{FOLDER}/{only}"))
    assert look(booted).startswith("firewall ipv4: CLOSED")


def test_the_second_look_tells_that_it_is_still_closed(booted: Stage) -> None:
    booted.write("/fake/iptables", EMPTY.replace("COMMIT", "-A INPUT -j STOCKADE-CLOSED\nCOMMIT"))
    booted.write(f"{FOLDER}/ipv4.closed", "some reason\n")
    assert look(booted, "second") == "firewall ipv4: is still CLOSED but for TCP port 22, 2222: some reason\n"
    assert booted.calls("iptables-restore") == []


@pytest.mark.parametrize("where", ["nft", "iptables-legacy"])
def test_it_is_closed_too_where_another_tool_closed_it(booted: Stage, where: str) -> None:
    if where == "nft":
        nft(booted, ip_stockade_closed="table ip stockade_closed {\n}\n")
    else:
        iptables(booted, "iptables-legacy")
        booted.write("/fake/iptables-legacy", "*filter\n-A INPUT -j STOCKADE-CLOSED\nCOMMIT\n")
    assert "is still CLOSED" in look(booted, "second")


def test_the_second_look_closes_what_was_flushed_since(booted: Stage) -> None:
    booted.write("/fake/iptables", EMPTY)
    assert BUT_FOR in look(booted, "second")
    assert loads(booted, "iptables") == [CLOSED]


THEIRS = "-A FORWARD -i docker0 -j ACCEPT\n-A INPUT -p tcp -j f2b-sshd\n-A f2b-sshd -s 192.0.2.7/32 -j REJECT\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SAVED, ""),
        (SAVED.replace("-A INPUT -i lo", "# saved by hand\n[7:9] -A INPUT -i lo"), ""),
        (SAVED.replace("COMMIT", f":f2b-sshd - [0:0]\n{THEIRS}COMMIT"), ""),  # after netfilter-persistent save
        (SAVED.replace("-A INPUT -i lo", "-A INPUT -j ACCEPT\n-A INPUT -i lo"), "filter -A INPUT -j ACCEPT"),
        (SAVED.replace("COMMIT", "[7:9] -A CHECK -j RETURN\nCOMMIT"), "filter -A CHECK -j RETURN"),
        (SAVED.replace("COMMIT", "-I INPUT 1 -j ACCEPT\nCOMMIT"), "filter -I INPUT 1 -j ACCEPT"),
        (SAVED.replace("COMMIT", "--insert\tINPUT -j ACCEPT\nCOMMIT"), "filter --insert\tINPUT -j ACCEPT"),
        (SAVED.replace("INPUT DROP", "INPUT ACCEPT"), "filter :INPUT ACCEPT"),
        (SAVED.replace("--dport 22", "--dport 23"), "filter -A INPUT -p tcp -m tcp --dport 23 -j ACCEPT"),
    ],
)
def test_what_somebody_wrote_into_the_boot_file_is_not_in_force(booted: Stage, text: str, told: str) -> None:
    """Even if everything declared is in force, too: a rule before it accepts everybody."""
    booted.write("/fake/iptables", SAVED)
    booted.write(f"{FOLDER}/ipv4/written", EXPECTED)
    booted.write(f"{FOLDER}/ipv4/own", "filter/INPUT filter/FORWARD filter/CHECK\ndocker0|br-.*\n")
    booted.write(BOOT, text)
    said = f"firewall ipv4: {BUT_FOR}{BOOT} has a rule that is not declared: {told}\n" if told else ""
    assert look(booted) == said


def test_another_version_may_have_saved_the_same_in_other_words(booted: Stage) -> None:
    booted.write("/fake/iptables", SAVED)
    booted.write(f"{FOLDER}/ipv4/written", EXPECTED)
    booted.write(f"{FOLDER}/ipv4/own", "filter/INPUT filter/FORWARD filter/CHECK\ndocker0\n")
    booted.write(f"{FOLDER}/ipv4/version", "iptables v1.8.8\n")
    booted.write(BOOT, SAVED.replace("-p tcp -m tcp", "-p 6 -m tcp"))
    assert look(booted) == ""
    booted.write(BOOT, SAVED.replace("-A INPUT -i lo", "-A INPUT -j ACCEPT\n-A INPUT -i lo"))
    assert "CLOSED" in look(booted)


def test_no_door_is_told_as_none(booted: Stage) -> None:
    booted.write(f"{FOLDER}/ipv4/doors", "- 22 - drop\n")
    assert look(booted).startswith("firewall ipv4: CLOSED, because ")


def test_sets_are_restored_before_the_rules(booted: Stage) -> None:
    ipset(booted)
    booted.write(f"{FOLDER}/ipv4/sets", "create a hash:ip family inet\nadd a 192.0.2.1\n")
    booted.write(f"{FOLDER}/ipv4.old/sets", "create b hash:ip family inet\n")
    booted.write(f"{FOLDER}/ipv6.next/sets", "create c hash:ip family inet6 nonsense\n")
    booted.write(f"{FOLDER}/ipv6/sets", "")
    assert look(booted, "sets") == "firewall ipv6.next: its sets cannot be restored: ipset: syntax error: nonsense\n"
    assert [call.arguments for call in booted.calls("ipset")] == [("-exist", "restore")] * 3
    assert sorted(file.name for file in booted.path("/fake/ipset").iterdir()) == ["a", "b"]
    assert booted.calls("iptables-save") == []
    for name in ("ipv4", "ipv4.old", "ipv6.next"):
        booted.write(f"{FOLDER}/{name}/sets", "\n")  # no sets: nothing to report, and ipset may not be installed
    booted.forget_calls()
    assert look(booted, "sets") == ""
    assert booted.calls("ipset") == []


@pytest.mark.parametrize(
    ("place", "text", "which"),
    [
        ("/etc/rc3.d/S07stockade-firewall", "", "sets"),
        ("/etc/rc3.d/S09stockade-firewall", "", "first"),
        ("/etc/rc3.d/S99stockade-firewall", "", "second"),
        ("/etc/rcS.d/S99stockade-sets", "sets", "sets"),
        ("/etc/rcS.d/S07stockade-firewall", "first", "first"),
        ("/etc/rc3.d/S07stockade-firewall-again", "second", "second"),
    ],
)
def test_scripts_of_sysv_init_start_the_looks(stage: Stage, place: str, text: str, which: str) -> None:
    stage.write(place, debian_init(text) if text else red_hat(), 0o755)
    stage.execute(place, "start")  # nothing to start yet
    stage.write(f"{FOLDER}/look", 'echo "$1" >>/looked')
    stage.execute(place, "stop")
    assert stage.read("/looked") == ""
    stage.execute(place, "start")
    assert stage.read("/looked") == f"{which}\n"


def red_hat() -> str:
    """Return the script for Red Hat's SysV init, as installed."""
    from components.firewall.boot.installed import installed

    return installed().partition("one_init='")[2].partition("\nsets_init=")[0][:-1].replace("'\\''", "'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sets", ["# Provides: stockade-sets", "# X-Start-Before: iptables-persistent networking"]),
        ("first", ["# Provides: stockade-firewall", "# Should-Start: iptables-persistent nftables ufw stockade-guard"]),
        ("second", ["# Provides: stockade-firewall-again", "# Required-Start: $all"]),
    ],
)
def test_insserv_reads_their_order(text: str, words: list[str]) -> None:
    lines = debian_init(text).splitlines()
    assert lines[:2] == ["#!/bin/sh", "### BEGIN INIT INFO"]
    assert set(words) <= set(lines[: lines.index("### END INIT INFO")])

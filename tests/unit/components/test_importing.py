"""What an import makes of the facts about a host: the pure part."""

import pytest

from components.core.operations.importing import told
from components.failure import Failure
from components.firewall.kept.chapter import KeptChapter, KeptFacts, KeptInputs
from components.firewall.ruleset.existing import existing as existing_rules
from components.firewall.ruleset.settings import RulesetFacts, RulesetInputs
from components.sshd import effective
from components.timesync.chapter import TimeSyncChapter
from components.timesync.settings import TimeSyncFacts, TimeSyncInputs
from components.users.existing import existing as existing_user
from components.users.settings import UserFacts, UserInputs
from hosts.shell import Answer
from hosts.system.files import FileState
from rules.values.family import Family

NOTHING = Answer("", "", 0)
FRAME = "*filter\n:INPUT {}\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n"
INPUTS = RulesetInputs(host="web1", family=Family.IPV4, rules="*filter\nCOMMIT\n")


def _rules(saved: str, **facts: object) -> RulesetInputs:
    return existing_rules(INPUTS, RulesetFacts.model_validate({"saved": saved, **facts}), saved)


def test_a_host_without_rules_has_an_open_filter() -> None:
    assert _rules("").rules == FRAME.format("ACCEPT") + "COMMIT\n"


@pytest.mark.parametrize("chain", ["f2b-sshd", "DOCKER-USER", "KUBE-FORWARD", "LIBVIRT_INP", "STOCKADE-CLOSED"])
def test_chains_of_other_programs_are_not_imported(chain: str) -> None:
    saved = f"*filter\n:INPUT DROP\n:{chain} -\n-A INPUT -j {chain}\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n"
    assert _rules(saved).rules == FRAME.format("DROP") + "-A INPUT -i lo -j ACCEPT\nCOMMIT\n"


def test_tables_in_which_nothing_is_set_are_left_out() -> None:
    saved = "*nat\n:PREROUTING ACCEPT\nCOMMIT\n*mangle\n:INPUT ACCEPT\n-A INPUT -j MARK --set-xmark 0x1/0x1\nCOMMIT\n"
    found = _rules(saved).rules
    assert "*nat" not in found
    assert "*mangle" in found


@pytest.mark.parametrize(("unit", "persistent"), [("enabled", True), ("disabled", False)])
def test_rules_that_the_host_loads_at_boot_are_persistent(unit: str, persistent: bool) -> None:
    saved = FRAME.format("DROP") + "-A INPUT -i lo -j ACCEPT\nCOMMIT\n"
    boot = FileState("/etc/iptables/rules.v4", True, f"# by iptables-save\n{saved}", "644", "root", "root").packed()
    inputs = INPUTS.model_copy(update={"rules": saved})
    facts = RulesetFacts(saved=saved, boot=boot, boot_unit=unit)
    assert existing_rules(inputs, facts, saved).persistent is persistent


def test_a_table_of_nftables_stays_beside_the_rules() -> None:
    assert _rules("", controller="table inet blocklist").beside == ("inet blocklist",)


def test_rules_that_a_program_manages_are_refused_with_what_to_import_instead() -> None:
    with pytest.raises(Failure, match="ufw is active; import `web1/firewall kept` instead"):
        _rules("", controller="ufw active")


def test_an_account_that_nobody_can_use_is_refused() -> None:
    inputs = UserInputs(host="web1", name="bob")
    assert existing_user(inputs, UserFacts()) is None
    with pytest.raises(Failure, match="web1: user bob: cannot be imported: the account is locked"):
        existing_user(inputs, UserFacts(exists=True, password="locked"))


def test_the_program_that_manages_a_firewall_is_found() -> None:
    chapter, ufw, other = KeptChapter(), KeptInputs(host="web1", program="ufw"), KeptFacts(active=False)
    firewalld = chapter.existing(ufw, other, NOTHING)
    assert firewalld is not None
    assert firewalld.program == "firewalld"
    assert chapter.existing(firewalld, KeptFacts(active=True), NOTHING) == firewalld
    assert chapter.existing(firewalld, other, NOTHING) is None


def test_the_time_daemon_that_runs_is_found() -> None:
    chapter, found = TimeSyncChapter(), TimeSyncInputs(host="web1", daemon="openntpd")
    off = TimeSyncFacts(enabled="disabled", active="inactive", may_set_clock=True)
    on = TimeSyncFacts(enabled="enabled", active="active", may_set_clock=True)
    daemons = []
    while (after := chapter.existing(found, off, NOTHING)) is not None:
        found = after
        daemons.append(found.daemon)
    assert daemons == ["chrony", "systemd-timesyncd"]
    assert chapter.existing(found, on, NOTHING) == found


def test_sshds_settings_are_read_from_the_file_that_was_written() -> None:
    text = effective.canonical("PermitRootLogin no\nMaxAuthTries 3\nKbdInteractiveAuthentication no\nPort 2222\n")
    assert effective.of_file(f"# head\n{effective.written(text)}\n{effective.match_all(text)}") == text
    assert effective.of_file("") == ""


def test_a_program_is_told_nothing_that_is_a_default_or_computed() -> None:
    assert told(INPUTS) == {"host": "web1", "family": "ipv4", "rules": INPUTS.rules}

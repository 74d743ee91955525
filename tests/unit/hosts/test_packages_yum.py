"""The functions for yum, with a stub that prints yum 3's output and refuses options that yum 3 lacks."""

import pytest

from hosts.scripts import script
from hosts.shell import Answer, Script
from tests.shell_room import Stage
from tests.unit.recorded import case

PLAN = case("packages", "yum", "removes and installs, CentOS 6")["prints"]
INSTALLS, REMOVES = PLAN["* install *"], PLAN["* remove *"]
KNOWN = "-y | -q | --downloadonly | --setopt=exit_on_lock=1 | --setopt=clean_requirements_on_remove=[01]"


YUM = f"""\
for word; do case $word in {KNOWN}) ;; -*) echo "no such option: $word"; exit 1 ;; esac; done
read -r answer || answer=none
says=$(cat /fake/says)
printf '%s\\n' "$says"
[ "$says" = "${{says#the question}}" ] || echo "yum $* <$answer"
exit "$(cat /fake/status)"
"""


def shell(stage: Stage, body: str, says: str, status: int = 0) -> Answer:
    """Run `body` after the functions; yum prints `says`."""
    stage.write("/fake/says", says)
    stage.write("/fake/status", str(status))
    stage.program("yum", YUM)
    stage.program("rpm", "exit 1")
    stage.program("sleep")
    values = {"pkg_manager": "yum", "lock_wait": "0"}
    return stage.one(Script("ask", script("hosts/packages/yum.sh") + body, values))


def test_a_plan_is_what_yum_shows_before_its_question(stage: Stage) -> None:
    done = shell(stage, "_simulated install x", INSTALLS)
    assert done.stdout.splitlines() == ["Inst fail2ban", "Inst iptables-ipv6"]
    done = shell(stage, "_simulated remove x", REMOVES)
    assert done.stdout.splitlines() == ["Remv rpcbind", "Remv a-package-with-quite-a-long-name"]


def test_the_question_is_answered_with_no(stage: Stage) -> None:
    done = shell(stage, "_simulated remove x", "the question\n")
    assert done.stderr == "the question\nyum --setopt=exit_on_lock=1 remove x <n\n"


@pytest.mark.parametrize(
    ("says", "status", "printed"),
    [
        ("Error: Nothing to do\n", 0, ""),
        ("No Packages marked for removal\n", 0, ""),
        ('Error: Trying to remove "yum", which is protected\n', 0, "Remv yum\n"),
        ("No package nonesuch available.\nError: Nothing to do\n", 1, ""),
        ("Error: Cannot retrieve repository metadata\n", 1, ""),
    ],
)
def test_what_else_it_may_answer(stage: Stage, says: str, status: int, printed: str) -> None:
    done = shell(stage, "_simulated install x", says, 1)
    assert (done.status, done.stdout) == (status, printed)


def test_another_yum_at_work_ends_it_with_a_status_of_its_own(stage: Stage) -> None:
    assert shell(stage, "pkg_remove x", "Another app is currently holding the yum lock\n", 200).status == 72


def asked(stage: Stage, body: str) -> Answer:
    """Run `body` after the functions, with the programs that the test has added."""
    values = {"pkg_manager": "yum", "lock_wait": "0"}
    return stage.one(Script("ask", script("hosts/packages/yum.sh") + body, values))


def test_why_a_package_is_installed_is_in_yums_notes(stage: Stage) -> None:
    stage.program("rpm", "printf '%s\\n' \"$4-1-1-noarch\" another")
    for name, reason in (("lib", "dep"), ("app", "user")):
        stage.write(f"/var/lib/yum/yumdb/x/0123-{name}-1-1-noarch/reason", reason)
    before = "for name in lib app none; do ! pkg_is_auto $name || echo $name; done; "
    assert asked(stage, before + "pkg_auto app none; pkg_is_auto app && echo now").stdout.split() == ["lib", "now"]
    notes = stage.path("/var/lib/yum/yumdb/x/0123-app-1-1-noarch")
    assert [(file.name, file.read_text()) for file in notes.iterdir()] == [("reason", "dep")]


def test_a_transaction_that_was_declined_leaves_no_file(stage: Stage) -> None:
    saved = "/tmp/yum_save_tx.2026.yumtx"
    stage.write(saved)
    stage.write("/tmp/other")
    stage.program("yum", f"echo ' yum load-transaction {saved}'; echo 'Exiting on user Command'")
    assert asked(stage, "_simulated remove x").status == 0
    assert [file.name for file in stage.path("/tmp").glob("*") if file.is_file()] == ["other"]


def test_versions_are_asked_by_name_by_pattern_and_by_what_is_provided(stage: Stage) -> None:
    rpm = """\
case "$*" in
    '-qa '*) printf '%s\\n' 'kernel 5-1' 'kernel-tools 5-1' ;;
    *'--whatprovides '*' iptables') printf '%s\\n' 'iptables 1.8-2' 'iptables 1.8-1' ;;
    *' bash') echo 'bash 5-1' ;;
    *) echo "package x is not installed"; exit 1 ;;
esac
"""
    stage.program("rpm", rpm)
    assert asked(stage, "pkg_versions 'kernel*' iptables bash none").stdout.splitlines() == [
        "kernel 5-1",
        "kernel-tools 5-1",
        "iptables 1.8-2",
        "bash 5-1",
    ]
    stage.forget_calls()
    assert asked(stage, "pkg_versions").stdout == ""
    assert stage.calls("rpm") == []


def test_an_older_version_that_cannot_be_removed_stops_no_other(stage: Stage) -> None:
    rpm = """\
case "$1 $2" in
    '-qa --qf') printf '%s\\n' app.noarch app.noarch lib.noarch lib.noarch ;;
    '-q --last') printf '%s\\n' "$3-2 Fri" "$3-1 Thu" "$3-0 Wed" ;;
    '-e --nodeps') exit 1 ;;
esac
"""
    stage.program("rpm", rpm)
    assert asked(stage, "pkg_mend; echo end").stdout == "end\n"
    removed = [call.arguments[-1] for call in stage.calls("rpm") if call.arguments[0] == "-e"]
    assert removed == ["app.noarch-1", "app.noarch-0", "lib.noarch-1", "lib.noarch-0"]


def test_what_the_lists_lack_is_installed_with_fresh_ones(stage: Stage) -> None:
    shell(stage, "pkg_install x || :", "No package x available.\n", 1)
    told = [" ".join(word for word in call.arguments if not word.startswith("-")) for call in stage.calls("yum")]
    assert told == ["install x", "clean expire-cache"]
    stage.forget_calls()
    stage.program("yum", "case $* in *clean*) : >/fake/fresh ;; *) [ -e /fake/fresh ] ;; esac")
    values = {"pkg_manager": "yum", "lock_wait": "0"}
    done = stage.one(Script("ask", script("hosts/packages/yum.sh") + "pkg_install x", values))
    assert done.status == 0
    told = [" ".join(word for word in call.arguments if not word.startswith("-")) for call in stage.calls("yum")]
    assert told == ["install x", "clean expire-cache", "install x"]


def test_a_plan_takes_along_what_only_the_removed_needed_but_for_what_is_kept(stage: Stage) -> None:
    done = shell(stage, 'pkg_plan "" rpcbind a-package-with-quite-a-long-name; echo $_drops', REMOVES)
    assert done.stdout.split() == ["rpcbind"]

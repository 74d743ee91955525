"""apt on a host whose packages are half done, and plans for names that somebody else's package provides."""

import pytest

from hosts.scripts import script
from hosts.shell import Answer, Script
from tests.shell_room import Stage

DPKG = """\
case $1 in
    --audit) cat /fake/audit ;;
    --configure | --force-confdef) : >/fake/configured ;;
    --set-selections) cat ;;
esac
"""
APT_GET = """\
case " $* " in
    *' -s '*' -f install'*) cat /fake/repair ;;
    *' check '*) [ ! -e /fake/broken ] || { [ -e /fake/fixable ] && [ -e /fake/configured ]; } ;;
esac
"""
DPKG_QUERY = """\
case "$*" in
    *binary:Package*) printf '%s\\n' 'deinstall ok installed exim4' 'install ok installed cron' ;;
    *'${Status} ${Package} ${Version}'*)
        shift 3
        for name; do echo "install ok installed $name 1.0"; done ;;
    *'${Status} ${Package}'*) cat /fake/states ;;
esac
"""


@pytest.fixture
def apt(stage: Stage) -> Stage:
    for name in ("audit", "repair", "states"):
        stage.write(f"/fake/{name}")
    stage.folder("/var/lib/dpkg/updates")
    for name, answer in {"apt-get": APT_GET, "dpkg": DPKG, "dpkg-query": DPKG_QUERY, "sleep": ":"}.items():
        stage.program(name, answer)
    return stage


def run(apt: Stage, body: str) -> Answer:
    return apt.one(Script("ask", script("hosts/packages/apt.sh") + body, {"pkg_manager": "apt"}))


def changes(apt: Stage) -> list[str]:
    """What was asked of apt-get and dpkg, without options and questions."""
    told = []
    for call in apt.calls("apt-get", "dpkg"):
        if "-s" not in call.arguments and call.arguments[0] != "--audit":
            words = [word for word in call.arguments if not word.startswith(("-o", "-q", "-y", "--force"))]
            told.append(" ".join((call.program, *(word for word in words if "::" not in word))))
    return told


def test_nothing_is_repaired_that_is_whole(apt: Stage) -> None:
    assert run(apt, "pkg_mend").status == 0
    assert changes(apt) == []


@pytest.mark.parametrize("begun", ["audit", "updates"])
def test_a_removal_that_was_begun_is_finished(apt: Stage, begun: str) -> None:
    apt.write("/fake/audit", "half") if begun == "audit" else apt.write("/var/lib/dpkg/updates/0001")
    apt.write(
        "/fake/states", "deinstall ok half-configured exim4\ninstall ok installed cron\npurge ok unpacked mailx\n"
    )
    assert run(apt, "pkg_mend").status == 0
    assert changes(apt) == ["apt-get check", "dpkg --remove exim4 mailx"]


def test_without_one_dpkg_removes_nothing(apt: Stage) -> None:
    apt.write("/fake/audit", "half")
    apt.write("/fake/states", "install ok installed cron\ninstall ok unpacked vim\n")
    assert run(apt, "pkg_mend").status == 0
    assert changes(apt) == ["apt-get check"]


def test_packages_that_are_not_configured_are(apt: Stage) -> None:
    for name in ("broken", "fixable", "audit"):
        apt.write(f"/fake/{name}", "x")
    assert run(apt, "pkg_mend").status == 0
    assert changes(apt) == ["apt-get check", "dpkg --configure -a", "apt-get check"]


def test_broken_packages_are_repaired_unless_whole_ones_would_go(apt: Stage) -> None:
    for name in ("broken", "audit"):
        apt.write(f"/fake/{name}", "x")
    assert run(apt, "pkg_mend").status == 0
    assert changes(apt)[-1] == "apt-get -f install"
    apt.forget_calls()
    apt.write("/fake/repair", "Remv cron [1.0]\n")
    done = run(apt, "pkg_mend")
    assert (done.status, "repairing them would remove cron 1.0" in done.stderr) == (1, True)
    assert "apt-get -f install" not in changes(apt)


def test_what_was_about_to_go_is_wanted_again(apt: Stage) -> None:
    assert run(apt, "pkg_mend exim4 cron").stdout == "exim4 install\n"
    apt.forget_calls()
    assert run(apt, "pkg_mend").status == 0
    assert [call for call in apt.calls("dpkg") if "--set-selections" in call.arguments] == []


def simulating(answers: str) -> str:
    """A body in which simulations print these lines, by their words."""
    return f'_simulated() {{ echo "$*" >>/fake/simulated; case " $* " in {answers} esac; }}\npkg_orphans() {{ :; }}\n'


def test_a_plan_says_what_comes_and_what_goes(apt: Stage) -> None:
    answers = (
        "*' exim4- '*) echo 'Inst curl (1)'; echo 'Purg exim4 [1]'; echo 'Purg mailx [1]' ;; *) echo 'Inst curl (1)' ;;"
    )
    apt.program("dpkg-query", "exit 1")
    done = run(apt, simulating(answers) + 'pkg_plan curl exim4 ""; echo $pkg_new / $pkg_lost / $pkg_request')
    assert done.stdout == "curl / exim4 mailx / curl exim4- mailx-\n", done.stderr


def test_what_only_the_removed_needed_is_foreseen_for_each_of_several(apt: Stage) -> None:
    answers = (
        "*' exim4- rpcbind- '*) echo 'Purg exim4 [1]'; echo 'Purg mailx [1]'; echo 'Purg rpcbind [1]' ;;"
        "*' exim4- '*) echo 'Purg exim4 [1]'; echo 'Purg mailx [1]' ;; *' rpcbind- '*) echo 'Purg rpcbind [1]' ;;"
    )
    done = run(
        apt, simulating(answers) + 'pkg_plan "" "exim4 rpcbind" ""; echo "$_because"; pkg_causes "exim4 rpcbind" ""'
    )
    assert done.stdout.splitlines() == ["exim4 exim4", "mailx exim4", "rpcbind rpcbind"] * 2, done.stderr


def test_a_plan_that_fails_is_shown_with_its_reason(apt: Stage) -> None:
    answers = "*' exim4- '*) echo 'E: no way' >&2; return 100 ;;"
    done = run(apt, simulating(answers) + 'pkg_plan "" exim4 "" || exit 9')
    assert (done.status, done.stderr) == (9, "E: no way\n")


def test_a_name_that_the_lists_lack_makes_them_be_read_again(apt: Stage) -> None:
    answers = "*) [ -e /fake/updated ] || return 100; echo 'Inst curl (1)' ;;"
    apt.program("apt-get", "case $* in *update*) : >/fake/updated ;; esac")
    apt.program("dpkg-query", "exit 1")
    done = run(apt, simulating(answers) + 'pkg_plan curl "" ""; echo $pkg_new')
    assert done.stdout == "curl\n", done.stderr
    apt.path("/fake/updated").unlink()
    done = run(
        apt,
        simulating("*' rpcbind- '*) echo 'Purg rpcbind [1]' ;; " + answers)
        + 'pkg_plan curl rpcbind ""; echo "$_alone"',
    )
    assert done.stdout.startswith("Inst curl"), done.stderr

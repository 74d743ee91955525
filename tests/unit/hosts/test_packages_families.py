"""The shell functions for dnf, yum, pacman and zypper, with stubs that print real output."""

import pytest

from hosts.packages.manager import LOCKED
from hosts.scripts import script
from hosts.shell import Answer, Script
from tests.shell_room import Stage
from tests.unit.recorded import case


def printed(file: str, name: str, arguments: str) -> str:
    """The recorded output of a real package manager."""
    return str(case("packages", file, name)["prints"][f"* {arguments} *"])


DNF_REMOVES = printed("dnf4", "removes and installs", "remove")
DNF_INSTALLS = printed("dnf4", "removes and installs", "install")
YUM_REMOVES = printed("yum", "removes, CentOS 7", "remove")
DNF5_REMOVES = printed("dnf5", "removes", "remove")
DNF5_INSTALLS = printed("dnf5", "another name takes its place", "install")

MANAGER = """\
case "$*" in
    *' install '*) [ ! -f "/fake/installs" ] || cat "/fake/installs" ;;
    *' remove '*) [ ! -f "/fake/removes" ] || cat "/fake/removes" ;;
esac
[ ! -f "/fake/status" ] || exit "$(cat "/fake/status")"
case "$*" in *--assumeno*) exit 1 ;; esac
"""
PACMAN_ITSELF = """\
case "$1" in
    -Rsc) printf 'Remv %s\\n' rpcbind libtirpc kept ;;
    -Rc) shift 4; printf 'Remv %s\\n' "$@" ;;
    -S) case "$*" in *print-format*) printf 'Inst %s\\n' fail2ban python-systemd ;; esac ;;
    -Q) exit 1 ;;
esac
[ ! -f "/fake/says" ] || { cat "/fake/says" >&2; exit 1; }
"""


DNF, PACMAN = "dnf", "pacman"


@pytest.fixture
def fake(stage: Stage) -> Stage:
    for name, answer in {"dnf": MANAGER, "pacman": PACMAN_ITSELF, "rpm": "exit 1", "sleep": ":"}.items():
        stage.program(name, answer)
    return stage


def run(fake: Stage, manager: str, body: str, **values: str) -> Answer:
    functions = script(f"hosts/packages/{manager}.sh")
    return fake.one(Script("ask", functions + body, {"pkg_manager": manager, **values}))


def asked(fake: Stage) -> list[str]:
    return [" ".join(call.arguments) for call in fake.calls("dnf", "dnf5", "dnf-3", "pacman")]


PLAN = 'pkg_plan "fail2ban-server=1.0" rpcbind kept; echo $pkg_lost; echo $pkg_new; pkg_change'


def test_what_comes_is_downloaded_before_anything_goes(fake: Stage) -> None:
    fake.write("/fake/removes", YUM_REMOVES)
    fake.write("/fake/installs", DNF_INSTALLS)
    run(fake, DNF, PLAN)
    done = [line.split("install_weak_deps=False ")[1] for line in asked(fake)]
    assert done[-3:] == [
        "-y -q install --downloadonly fail2ban-server-1.0",
        "-y -q --setopt=clean_requirements_on_remove=False remove rpcbind nfs-utils",
        "-y -q install fail2ban-server-1.0",
    ]


def test_what_the_declared_ones_need_stays(fake: Stage) -> None:
    fake.write("/fake/removes", DNF_REMOVES)
    done = run(fake, DNF, 'pkg_plan "" rpcbind quota; echo $_drops')
    assert done.stdout == "rpcbind a-name-that-is-too-long-for-its-column nfs-utils\n"
    pacman = run(fake, PACMAN, 'pkg_plan "" rpcbind kept; echo $_drops; echo $pkg_lost')
    assert pacman.stdout == "rpcbind libtirpc\nlibtirpc rpcbind\n", pacman.stderr


@pytest.mark.parametrize(
    "told", ["Error: Unable to find a match: ", "Failed to resolve the transaction:\nNo match for argument: "]
)
def test_an_error_of_the_plan_is_told(fake: Stage, told: str) -> None:
    fake.write("/fake/installs", f"{told}no-such-package\n")
    done = run(fake, DNF, 'pkg_plan no-such-package "" ""')
    assert done.status != 0
    assert f"{told}no-such-package" in done.stderr


@pytest.mark.parametrize(
    ("status", "says"),
    [(200, ""), (1, "Failed to obtain rpm transaction lock. Another transaction is in progress.\n")],
    ids=["dnf 4", "dnf 5"],
)
def test_another_dnf_is_waited_for_up_to_the_limit(fake: Stage, status: int, says: str) -> None:
    fake.write("/fake/status", str(status))
    fake.write("/fake/installs", says)
    done = run(fake, DNF, "lock_wait=10; _dnf install x")
    assert done.status == LOCKED
    assert len(asked(fake)) == 6


@pytest.mark.parametrize("folder", ["/var/lib/dnf", "/usr/lib/sysimage/libdnf5"])
@pytest.mark.parametrize("body", ["_dnf install x", "pkg_plan x '' ''", "pkg_is_auto x"])
def test_dnf_5_is_not_started_while_another_one_has_its_lock(fake: Stage, body: str, folder: str) -> None:
    lock = f"{folder}/system-repo.lock"
    fake.write(lock)
    hold = f"flock {lock} /usr/bin/sleep 600 >/dev/null 2>&1 & until grep -q FLOCK /proc/locks; do :; done; echo $!"
    holder = fake.one(Script("hold", hold)).stdout.strip()
    assert run(fake, DNF, body, lock_wait="4").status == LOCKED
    assert fake.calls("dnf") == []
    fake.one(Script("let go", f"kill {holder}; pid=$(cat /proc/[0-9]*/stat | sed -n 's/ (sleep).*//p'); kill $pid"))
    fake.write("/fake/installs", DNF5_INSTALLS)
    run(fake, DNF, body, lock_wait="4")
    assert fake.calls("dnf") != []


@pytest.mark.parametrize(("link", "word"), [("dnf-3", "remove"), ("dnf5", "dependency")])
def test_dnf_5_marks_dependencies_by_another_word(fake: Stage, link: str, word: str) -> None:
    dnf = fake.path("/usr/local/sbin/dnf")
    dnf.rename(dnf.with_name(link))
    dnf.symlink_to(link)
    run(fake, DNF, "pkg_auto libtirpc")
    assert asked(fake)[-1].endswith(f"-y -q mark {word} libtirpc")


@pytest.mark.parametrize("knows", [True, False])
def test_of_two_versions_that_a_killed_dnf_left_the_older_one_goes(fake: Stage, knows: bool) -> None:
    rpm = """\
case "$1 $2" in
    '-qa --qf') printf '%s\\n' app.noarch lib.i686 lib.x86_64 app.noarch kernel.x86_64 kernel.x86_64 ;;
    '-q --last') echo "${3%.*}-2-1.noarch Fri"; echo "${3%.*}-1-1.noarch Thu" ;;
esac
"""
    fake.program("rpm", rpm)
    if not knows:
        fake.write("/fake/status", "2")
    done = run(fake, DNF, "pkg_mend")
    assert done.status == 0, done.stderr
    assert asked(fake)[0].endswith("-y -q remove --duplicates")
    erased = [str(call) for call in fake.calls("rpm") if call.arguments[0] == "-e"]
    assert erased == ([] if knows else ["rpm -e --nodeps --noscripts app-1-1.noarch"])


def test_what_a_package_provides_is_removed_by_the_packages_own_name(fake: Stage) -> None:
    provides = '[ "$2" = --whatprovides ] && [ "$5" = iptables ] || exit 1\necho iptables-nft\n'
    fake.program("rpm", provides)
    fake.write("/fake/removes", DNF5_REMOVES)
    run(fake, DNF, 'pkg_plan "" "iptables other" ""')
    assert asked(fake)[0].endswith("--assumeno remove iptables-nft other")


def test_another_pacman_is_waited_for_up_to_the_limit(fake: Stage) -> None:
    fake.write("/fake/says", "error: failed to init transaction (unable to lock database)\n")
    done = run(fake, PACMAN, "lock_wait=10; _pacman -S x")
    assert done.status == LOCKED
    assert len(asked(fake)) == 6


def test_pacmans_lists_are_refreshed_only_where_they_do_not_know_a_package(fake: Stage) -> None:
    run(fake, PACMAN, 'pkg_plan fail2ban "" ""; pkg_change')
    assert not [line for line in asked(fake) if line.startswith("--noconfirm") and "-Sy" in line]
    fake.write("/fake/says", "error: target not found: x\n")
    run(fake, PACMAN, "pkg_install x")
    assert "--noconfirm --noprogressbar -Sy" in asked(fake)


def test_what_pacman_holds_and_would_have_to_remove_is_named(fake: Stage) -> None:
    fake.write("/etc/pacman.conf", "[options]\nHoldPkg = pacman glibc\n")
    removes = 'case $1 in --config) ! grep -q HoldPkg "$2" && printf "%s\\n" curl pacman ;; *) exit 1 ;; esac'
    fake.program("pacman", removes)
    assert run(fake, PACMAN, "_drops=curl; pkg_held").stdout.split() == ["pacman"]
    fake.program("pacman", "exit 1")
    assert run(fake, PACMAN, '_drops=curl; pkg_held; echo "end"').stdout.split() == ["end"]


def test_pacman_leaves_services_to_others_where_systemd_does_not_run(fake: Stage) -> None:
    fake.program("systemctl")
    listing = (
        "echo x /usr/lib/systemd/system/ban.service; echo x /usr/lib/systemd/system/ban@.service; echo x /usr/lib/x.so"
    )
    body = "pkg_lost=x; pkg_request= _drops=x; pkg_files_of() { " + listing + "; }; pkg_change"
    fake.program("pacman")
    assert run(fake, PACMAN, body).status == 0
    assert fake.calls("systemctl") == []
    fake.systemd()
    assert run(fake, PACMAN, body).status == 0
    assert [str(call) for call in fake.calls("systemctl")] == ["systemctl -q disable --now ban.service"]
    assert asked(fake)[-1] == "--noconfirm --noprogressbar -Rnc x"


def test_dnf_that_cannot_say_what_nothing_needs_stops_no_run(fake: Stage) -> None:
    fake.write("/fake/status", "1")
    done = run(fake, DNF, 'found=$(pkg_orphans); echo "[$found]"')
    assert done.stdout == "[]\n"


def test_a_replaced_package_goes_unless_it_is_its_successors_older_version(fake: Stage) -> None:
    table = (
        "Installing:\n new-tools  noarch  2-1  lab  10 k\n     replacing  old-tools.noarch 1-1\n"
        "     replacing  new-tools.noarch 1-1\n\nTransaction Summary\n"
    )
    done = (
        fake.one(Script("ask", script("hosts/packages/rpm.sh") + "_table </fake/table", {"pkg_manager": "dnf"}))
        if fake.write("/fake/table", table)
        else None
    )
    assert done is not None
    assert done.stdout.splitlines() == ["Inst new-tools", "Remv old-tools"]


@pytest.mark.parametrize("manager", ["dnf", "zypper"])
def test_the_first_that_is_installed_is_taken_and_else_the_first_that_exists(fake: Stage, manager: str) -> None:
    fake.program("rpm", '[ "$2" = b ]')
    fake.program("dnf", "echo c")
    fake.program("zypper", "echo '<solvable name=\"c\"/>'")
    assert run(fake, manager, "pkg_first a b c").stdout == "b\n"
    fake.program("rpm", "exit 1")
    assert run(fake, manager, "pkg_first a c").stdout == "c\n"
    assert run(fake, manager, "pkg_first a d").stdout == "a\n"


ZYPPER_PLANS = case("packages", "zypper", "removes and installs")["prints"]
ZYPPER_ITSELF = """\
case "$*" in
    *'--xmlout remove --dry-run '*) cat /fake/removes ;;
    *'--xmlout install --dry-run '*) cat /fake/installs ;;
    *'packages --unneeded') printf 'S | Repository | Name | Version | Arch\\n--+--\\ni | lab | dnf  | 4 | noarch\\n' ;;
    *' search '*) echo '<solvable status="not-installed" name="b" kind="package"/>' ;;
esac
[ ! -f /fake/status ] || exit "$(cat /fake/status)"
"""


@pytest.fixture
def suse(fake: Stage) -> Stage:
    fake.program("zypper", ZYPPER_ITSELF)
    fake.write("/fake/removes", ZYPPER_PLANS["* remove *"])
    fake.write("/fake/installs", ZYPPER_PLANS["* install *"])
    return fake


def zypped(suse: Stage) -> list[str]:
    return [str(call).removeprefix("zypper --non-interactive ") for call in suse.calls("zypper")]


def test_zypper_removes_and_installs_in_one_transaction(suse: Stage) -> None:
    """Dependencies of declared packages stay, even if a removed one had pulled them in."""
    done = run(suse, "zypper", 'pkg_plan "fail2ban-server=1.0.2-9" "rpcbind none" libtirpc; echo $pkg_new; pkg_change')
    assert done.stdout == "fail2ban-server python3-systemd\n", done.stderr
    assert zypped(suse) == [
        "--no-refresh --xmlout remove --dry-run --clean-deps rpcbind none",
        "--no-refresh --xmlout install --dry-run --no-recommends fail2ban-server=1.0.2-9 !rpcbind",
        "--no-refresh install --no-recommends --download in-advance fail2ban-server=1.0.2-9 !rpcbind",
    ]


def test_another_zypper_is_waited_for_up_to_the_limit(suse: Stage) -> None:
    suse.write("/fake/status", "7")
    for body in ("_zypper install x", "pkg_plan x '' ''"):
        suse.forget_calls()
        assert run(suse, "zypper", f"lock_wait=10; {body}").status == LOCKED
        assert len(zypped(suse)) == 6


@pytest.mark.parametrize(
    ("status", "works"), [(0, True), (102, True), (103, True), (106, True), (107, True), (4, False)]
)
def test_zypper_has_worked_though_something_is_to_be_started_again(suse: Stage, status: int, works: bool) -> None:
    suse.write("/fake/status", str(status))
    assert (run(suse, "zypper", "pkg_remove x").status == 0) is works


def test_zyppers_lists_are_refreshed_where_they_do_not_know_a_package(suse: Stage) -> None:
    suse.write("/fake/status", "104")
    message = '<message type="error">No provider of &apos;no-such&apos; found.</message>\n'
    suse.write("/fake/installs", message)
    done = run(suse, "zypper", 'pkg_plan no-such "" ""')
    assert done.status != 0
    assert "No provider of 'no-such' found.\n" in done.stderr
    assert zypped(suse)[1] == "refresh"


def test_what_zypper_has_locked_is_named(suse: Stage) -> None:
    suse.write("/fake/status", "4")
    suse.write("/fake/removes", "<description>\n Solution 1: remove lock to allow removal of open-ssh-1.3.4-1.noarch\n")
    done = run(suse, "zypper", 'pkg_plan "" open-ssh "" || pkg_held')
    assert done.stdout.split() == ["open-ssh"]


def test_zypper_knows_what_came_as_a_dependency_by_its_list(suse: Stage) -> None:
    suse.write("/var/lib/zypp/AutoInstalled", "# generated\nbash\n")
    done = run(
        suse,
        "zypper",
        "pkg_is_auto bash && ! pkg_is_auto ba; pkg_auto bash new; pkg_orphans; pkg_first a b; pkg_first c",
    )
    assert done.stdout.split() == ["dnf", "b", "c"], done.stderr
    assert suse.read("/var/lib/zypp/AutoInstalled") == "# generated\nbash\nnew\n"


@pytest.mark.parametrize(
    ("says", "refreshed"),
    [
        ("error: failed to commit transaction (conflicting files)\n", 0),
        ("error: target not found: fail2ban\n", 1),
        ("error: failed retrieving file 'x' from y : The requested URL returned error: 404\n", 1),
    ],
)
def test_a_transaction_of_pacman_that_fails_is_a_failure(fake: Stage, says: str, refreshed: int) -> None:
    fake.write("/fake/says", says)
    done = run(fake, PACMAN, "_missing() { printf '%s ' \"$@\"; }; pkg_install fail2ban")
    assert done.status != 0
    assert says.strip() in done.stderr
    assert sum(line.endswith(" -Sy") for line in asked(fake)) == refreshed


@pytest.mark.parametrize("manager", ["apt", DNF, PACMAN])
def test_nothing_to_install_is_done(fake: Stage, manager: str) -> None:
    done = run(fake, manager, "_missing() { :; }; pkg_install fail2ban && echo done", apt_opts="", lock_wait="1")
    assert done.stdout == "done\n", done.stderr
    assert not [line for line in asked(fake) if "install" in line or "-S" in line.split()]


def test_those_that_came_along_are_named_apart(fake: Stage) -> None:
    body = 'pkg_is_auto() { [ "$1" != rpcbind ]; }; pkg_autos libtirpc rpcbind quota'
    assert run(fake, "common", body).stdout == "libtirpc\nquota\n"

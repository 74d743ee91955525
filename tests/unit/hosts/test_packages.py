"""The shell functions for apt, with stubs for apt-get and dpkg."""

import pytest

from hosts.packages.manager import LOCKED
from hosts.scripts import script
from hosts.shell import Answer, Script
from tests.shell_room import Stage

APT_GET = """\
case "$*" in *' -s '* | '-s '*)
    case "$*" in
        *' autoremove') cat "/fake/orphans" ;;
        *--auto-remove*) cat "/fake/with_orphans" ;;
        *postfix-*) cat "/fake/plain" ;;
        *exim4-*) cat "/fake/replaced" ;;
    esac
    exit 0 ;;
esac
n=$(cat "/fake/failures" 2>/dev/null || echo 0)
[ "$n" -gt 0 ] || exit 0
echo $((n - 1)) >"/fake/failures"
[ ! -f "/fake/waits" ] || sleep "$(cat "/fake/waits")"
cat "/fake/says" >&2
exit 100
"""

SLEEP = 'echo $(($(cat "/fake/now") + $1)) >"/fake/now"\n'
DATE = 'cat "/fake/now"\n'
STATUS = """\
# as dpkg before 1.17.11, which leaves fields empty that it does not know
format=$3
shift 3
for name; do
    case $name in gone) status='deinstall ok config-files' ;; half) status='purge ok half-configured' ;;
        unhappy) status='install reinstreq installed' ;; *) status='install ok installed' ;; esac
    printf "$format" | sed -e "s/\\${Status}/$status/" -e "s/\\${[a-z]*:*Package}/$name/" -e 's/\\${Version}/1.0/' \
        -e 's/\\${[^}]*}//g'
done
"""


@pytest.fixture
def apt(stage: Stage) -> Stage:
    stage.write("/fake/now", "1000\n")
    for name, answer in {"apt-get": APT_GET, "dpkg-query": "exit 1", "sleep": SLEEP, "date": DATE}.items():
        stage.program(name, answer)
    return stage


def run(apt: Stage, body: str, **values: str) -> Answer:
    return apt.one(Script("ask", script("hosts/packages/apt.sh") + body, {"pkg_manager": "apt", **values}))


CAUSES = """\
pkg_lost='exim4 mailutils rpcbind ufw'
_alone="{alone}"
_simulated() {{ echo "$*" >>"/fake/simulated"; case $* in *rpcbind-*) echo 'Purg rpcbind:amd64 [1]' ;; esac; }}
pkg_causes "{gone}" "net-tools iptables-persistent"
"""


@pytest.mark.parametrize(
    ("gone", "alone", "simulated", "said"),
    [
        ("exim4", "Inst net-tools (1)", [], [f"{name} exim4" for name in ("exim4", "mailutils", "rpcbind", "ufw")]),
        ("exim4 rpcbind", "Inst net-tools (1)", ["exim4-", "rpcbind-"], ["rpcbind rpcbind"]),
        ("rpcbind", "Remv ufw [1]", ["rpcbind-", "net-tools", "iptables-persistent"], ["rpcbind rpcbind"]),
    ],
)
def test_causes_are_simulated_only_where_the_plan_does_not_tell_them(
    apt: Stage, gone: str, alone: str, simulated: list[str], said: list[str]
) -> None:
    apt.write("/fake/simulated")
    done = run(apt, CAUSES.format(gone=gone, alone=alone))
    assert done.stdout.splitlines() == said, done.stderr
    asked = [line.split()[-1] for line in apt.read("/fake/simulated").splitlines()]
    assert asked == simulated


@pytest.mark.parametrize(("gone", "asked"), [("exim4 rpcbind", []), ("rpcbind ufw", ["rpcbind-", "ufw-"])])
def test_causes_that_were_simulated_with_the_plan_are_not_simulated_again(
    apt: Stage, gone: str, asked: list[str]
) -> None:
    apt.write("/fake/simulated")
    foreseen = "_goers='exim4 rpcbind ' _because='mailutils exim4'\n"
    done = run(apt, foreseen + CAUSES.format(gone=gone, alone="Inst net-tools (1)"))
    assert done.stdout.splitlines() == ["rpcbind rpcbind" if asked else "mailutils exim4"], done.stderr
    assert [line.split()[-1] for line in apt.read("/fake/simulated").splitlines()] == asked


DPKG_QUERY = """\
case $* in
    *libx*' '*) echo "dpkg-query: error: ambiguous package name 'libx'" >&2; exit 2 ;;
    '-L rpcbind'*) printf '%s\\n' /. /etc/rpcbind '' /. '/etc/my file' ;;
    '-L '*) echo /etc/libx ;;
    -S*) printf '%s\\n' 'dpkg, apt: /etc/cron.daily' 'libx:amd64: /etc/my file' ;;
    -W*) printf '%s\\n' rpcbind '' ' /etc/rpcbind d41d' ' /etc/old d41d obsolete' libx '' ' /etc/my file d41d' ;;
esac
"""


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("pkg_files_of rpcbind exim4", "rpcbind /.|rpcbind /etc/rpcbind|exim4 /.|exim4 /etc/my file"),
        ("pkg_files_of libx libx", "libx /etc/libx|libx /etc/libx"),
        ("pkg_conffiles_of rpcbind x", "rpcbind /etc/rpcbind|libx /etc/my file"),
        (
            "printf '%s\\n' /etc/cron.daily '/etc/my file' | pkg_owners_of",
            "dpkg /etc/cron.daily|apt /etc/cron.daily|libx:amd64 /etc/my file",
        ),
        ("pkg_files_of; pkg_conffiles_of; pkg_autos; pkg_owners_of </dev/null", ""),
    ],
)
def test_dpkg_is_asked_about_many_packages_at_once(apt: Stage, question: str, answer: str) -> None:
    apt.program("dpkg-query", DPKG_QUERY)
    done = run(apt, question)
    assert "|".join(done.stdout.splitlines()) == answer, done.stderr


def test_apt_gets_own_wait_for_dpkg_is_not_repeated(apt: Stage) -> None:
    apt.write("/fake/failures", "9")
    apt.write("/fake/waits", "40")
    apt.write("/fake/says", "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend)\n")
    done = run(apt, "lock_wait=40; _apt install x")
    assert done.status == LOCKED
    assert len(apt.calls("apt-get")) == 1
    assert "DPkg::Lock::Timeout=40" in apt.calls("apt-get")[0].arguments


@pytest.mark.parametrize(
    "lock",
    [
        "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)\n",
        "E: Could not get lock /var/lib/dpkg/lock - open (11: Resource temporarily unavailable)\n",  # before 1.9.11
    ],
)
@pytest.mark.parametrize(("failures", "status"), [(3, 0), (99, LOCKED)])
def test_locks_that_apt_get_does_not_wait_for_are_tried_again_up_to_the_limit(
    apt: Stage, failures: int, status: int, lock: str
) -> None:
    apt.write("/fake/failures", str(failures))
    apt.write("/fake/says", lock)
    done = run(apt, "lock_wait=10; _apt update")
    assert done.status == status
    assert len(apt.calls("apt-get")) == min(failures, 5) + 1


def test_an_error_is_not_taken_for_a_lock(apt: Stage) -> None:
    apt.write("/fake/failures", "1")
    apt.write("/fake/says", "E: Unable to locate package no-such-package\n")
    done = run(apt, "_apt install no-such-package")
    assert done.status == 1
    assert "Unable to locate package" in done.stderr


def test_what_is_installed_is_told_by_a_dpkg_of_any_age(apt: Stage) -> None:
    apt.program("dpkg-query", STATUS)
    done = run(apt, "pkg_versions sudo gone half unhappy; echo --; pkg_half sudo gone half")
    assert done.stdout.splitlines() == ["sudo 1.0", "unhappy 1.0", "--", "gone"], done.stderr

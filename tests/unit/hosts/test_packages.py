"""The shell functions of hosts/packages/manager.py, with an apt-get that says what it is told to say."""

import os
import subprocess
from pathlib import Path

import pytest

from hosts.packages.limits import LOCKED
from hosts.packages.manager import APT

APT_GET = """\
#!/bin/sh
printf '%s\\n' "$*" >>"$FAKE/calls"
case "$*" in *' -s '* | '-s '*)
    case "$*" in
        *' autoremove') cat "$FAKE/orphans" ;;
        *--auto-remove*) cat "$FAKE/with_orphans" ;;
        *postfix-*) cat "$FAKE/plain" ;;
        *exim4-*) cat "$FAKE/replaced" ;;
    esac
    exit 0 ;;
esac
n=$(cat "$FAKE/failures" 2>/dev/null || echo 0)
[ "$n" -gt 0 ] || exit 0
echo $((n - 1)) >"$FAKE/failures"
[ ! -f "$FAKE/waits" ] || sleep "$(cat "$FAKE/waits")"
cat "$FAKE/says" >&2
exit 100
"""

SLEEP = '#!/bin/sh\necho $(($(cat "$FAKE/now") + $1)) >"$FAKE/now"\n'
DATE = '#!/bin/sh\ncat "$FAKE/now"\n'
STATUS = """\
#!/bin/sh
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
def fake(tmp_path: Path) -> Path:
    (tmp_path / "now").write_text("1000\n")
    programs = {"apt-get": APT_GET, "dpkg-query": "#!/bin/sh\nexit 1\n", "sleep": SLEEP, "date": DATE}
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def run(fake: Path, body: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{fake}:{os.environ['PATH']}", "FAKE": str(fake), "LC_ALL": "C"}
    return subprocess.run(["sh", "-euc", APT + body], env=env, text=True, capture_output=True, check=False)


CAUSES = """\
pkg_lost='exim4 mailutils rpcbind ufw'
_alone="{alone}"
_simulated() {{ echo "$*" >>"$FAKE/simulated"; case $* in *rpcbind-*) echo 'Purg rpcbind:amd64 [1]' ;; esac; }}
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
    fake: Path, gone: str, alone: str, simulated: list[str], said: list[str]
) -> None:
    (fake / "simulated").touch()
    done = run(fake, CAUSES.format(gone=gone, alone=alone))
    assert done.stdout.splitlines() == said, done.stderr
    asked = [line.split()[-1] for line in (fake / "simulated").read_text().splitlines()]
    assert asked == simulated


@pytest.mark.parametrize(("gone", "asked"), [("exim4 rpcbind", []), ("rpcbind ufw", ["rpcbind-", "ufw-"])])
def test_causes_that_were_simulated_with_the_plan_are_not_simulated_again(
    fake: Path, gone: str, asked: list[str]
) -> None:
    (fake / "simulated").touch()
    foreseen = "_goers='exim4 rpcbind ' _because='mailutils exim4'\n"
    done = run(fake, foreseen + CAUSES.format(gone=gone, alone="Inst net-tools (1)"))
    assert done.stdout.splitlines() == ["rpcbind rpcbind" if asked else "mailutils exim4"], done.stderr
    assert [line.split()[-1] for line in (fake / "simulated").read_text().splitlines()] == asked


DPKG_QUERY = """\
#!/bin/sh
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
def test_dpkg_is_asked_about_many_packages_at_once(fake: Path, question: str, answer: str) -> None:
    (fake / "dpkg-query").write_text(DPKG_QUERY)
    done = run(fake, question)
    assert "|".join(done.stdout.splitlines()) == answer, done.stderr


def test_apt_gets_own_wait_for_dpkg_is_not_repeated(fake: Path) -> None:
    (fake / "failures").write_text("9")
    (fake / "waits").write_text("40")
    (fake / "says").write_text("E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend)\n")
    done = run(fake, "lock_wait=40; _apt install x")
    assert done.returncode == LOCKED
    assert len((fake / "calls").read_text().splitlines()) == 1
    assert "DPkg::Lock::Timeout=40" in (fake / "calls").read_text()


@pytest.mark.parametrize(
    "lock",
    [
        "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)\n",
        "E: Could not get lock /var/lib/dpkg/lock - open (11: Resource temporarily unavailable)\n",  # before 1.9.11
    ],
)
@pytest.mark.parametrize(("failures", "status"), [(3, 0), (99, LOCKED)])
def test_locks_that_apt_get_does_not_wait_for_are_tried_again_up_to_the_limit(
    fake: Path, failures: int, status: int, lock: str
) -> None:
    (fake / "failures").write_text(str(failures))
    (fake / "says").write_text(lock)
    done = run(fake, "lock_wait=10; _apt update")
    assert done.returncode == status
    assert len((fake / "calls").read_text().splitlines()) == min(failures, 5) + 1


def test_an_error_is_not_taken_for_a_lock(fake: Path) -> None:
    (fake / "failures").write_text("1")
    (fake / "says").write_text("E: Unable to locate package no-such-package\n")
    done = run(fake, "_apt install no-such-package")
    assert done.returncode == 1
    assert "Unable to locate package" in done.stderr


def test_what_is_installed_is_told_by_a_dpkg_of_any_age(fake: Path) -> None:
    (fake / "dpkg-query").write_text(STATUS)
    done = run(fake, "pkg_versions sudo gone half unhappy; echo --; pkg_half sudo gone half")
    assert done.stdout.splitlines() == ["sudo 1.0", "unhappy 1.0", "--", "gone"], done.stderr

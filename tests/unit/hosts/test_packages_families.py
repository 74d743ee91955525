"""The shell functions for dnf, yum and pacman, with managers that say what the real ones say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hosts.packages.dnf import DNF
from hosts.packages.limits import LOCKED
from hosts.packages.pacman import PACMAN
from tests.unit.recorded import case


def printed(file: str, name: str, arguments: str) -> str:
    """What a real package manager printed."""
    return str(case("packages", file, name)["prints"][f"* {arguments} *"])


DNF_REMOVES = printed("dnf4", "removes and installs", "remove")
DNF_INSTALLS = printed("dnf4", "removes and installs", "install")
YUM_REMOVES = printed("yum", "removes, CentOS 7", "remove")
DNF5_REMOVES = printed("dnf5", "removes", "remove")
DNF5_INSTALLS = printed("dnf5", "another name takes its place", "install")

MANAGER = """\
#!/bin/sh
printf '%s\\n' "$*" >>"$FAKE/calls"
case "$*" in
    *' install '*) [ ! -f "$FAKE/installs" ] || cat "$FAKE/installs" ;;
    *' remove '*) [ ! -f "$FAKE/removes" ] || cat "$FAKE/removes" ;;
esac
[ ! -f "$FAKE/status" ] || exit "$(cat "$FAKE/status")"
case "$*" in *--assumeno*) exit 1 ;; esac
"""
PACMAN_ITSELF = """\
#!/bin/sh
printf '%s\\n' "$*" >>"$FAKE/calls"
case "$1" in
    -Rsc) printf 'Remv %s\\n' rpcbind libtirpc kept ;;
    -Rc) shift 4; printf 'Remv %s\\n' "$@" ;;
    -S) case "$*" in *print-format*) printf 'Inst %s\\n' fail2ban python-systemd ;; esac ;;
    -Q) exit 1 ;;
esac
[ ! -f "$FAKE/says" ] || { cat "$FAKE/says" >&2; exit 1; }
"""


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    texts = {"dnf": MANAGER, "pacman": PACMAN_ITSELF, "rpm": "#!/bin/sh\nexit 1\n", "sleep": "#!/bin/sh\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def run(fake: Path, functions: str, body: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{fake}:{os.environ['PATH']}", "FAKE": str(fake), "LC_ALL": "C"}
    return subprocess.run(["sh", "-euc", functions + body], env=env, text=True, capture_output=True, check=False)


PLAN = 'pkg_plan "fail2ban-server=1.0" rpcbind kept; echo $pkg_lost; echo $pkg_new; pkg_change'


def test_what_comes_is_downloaded_before_anything_goes(fake: Path) -> None:
    (fake / "removes").write_text(YUM_REMOVES)
    (fake / "installs").write_text(DNF_INSTALLS)
    run(fake, DNF, PLAN)
    done = [line.split("install_weak_deps=False ")[1] for line in (fake / "calls").read_text().splitlines()]
    assert done[-3:] == [
        "-y -q install --downloadonly fail2ban-server-1.0",
        "-y -q --setopt=clean_requirements_on_remove=False remove rpcbind nfs-utils",
        "-y -q install fail2ban-server-1.0",
    ]


def test_what_the_declared_ones_need_stays(fake: Path) -> None:
    (fake / "removes").write_text(DNF_REMOVES)
    done = run(fake, DNF, 'pkg_plan "" rpcbind quota; echo $_drops')
    assert done.stdout == "rpcbind a-name-that-is-too-long-for-its-column nfs-utils\n"
    pacman = run(fake, PACMAN, 'pkg_plan "" rpcbind kept; echo $_drops; echo $pkg_lost')
    assert pacman.stdout == "rpcbind libtirpc\nlibtirpc rpcbind\n", pacman.stderr


@pytest.mark.parametrize(
    "told", ["Error: Unable to find a match: ", "Failed to resolve the transaction:\nNo match for argument: "]
)
def test_an_error_of_the_plan_is_told(fake: Path, told: str) -> None:
    (fake / "installs").write_text(f"{told}no-such-package\n")
    done = run(fake, DNF, 'pkg_plan no-such-package "" ""')
    assert done.returncode != 0
    assert f"{told}no-such-package" in done.stderr


@pytest.mark.parametrize(
    ("status", "says"),
    [(200, ""), (1, "Failed to obtain rpm transaction lock. Another transaction is in progress.\n")],
    ids=["dnf 4", "dnf 5"],
)
def test_another_dnf_is_waited_for_up_to_the_limit(fake: Path, status: int, says: str) -> None:
    (fake / "status").write_text(str(status))
    (fake / "installs").write_text(says)
    done = run(fake, DNF, "lock_wait=10; _dnf install x")
    assert done.returncode == LOCKED
    assert len((fake / "calls").read_text().splitlines()) == 6


LOCK_HELD = """\
import fcntl, subprocess, sys
with open(sys.argv[1], "w") as held:
    fcntl.lockf(held, fcntl.LOCK_EX)
    sys.exit(subprocess.run(sys.argv[2:]).returncode)
"""


@pytest.mark.parametrize("folder", ["/var/lib/dnf", "/usr/lib/sysimage/libdnf5"])
@pytest.mark.parametrize("body", ["_dnf install x", "pkg_plan x '' ''", "pkg_is_auto x"])
def test_dnf_5_is_not_started_while_another_one_has_its_lock(fake: Path, body: str, folder: str) -> None:
    lock = fake / "system-repo.lock"
    functions = DNF.replace(f"_locked {folder}", f"_locked {fake}")
    script = f"{functions}lock_wait=4; {body}"
    env = {"PATH": f"{fake}:{os.environ['PATH']}", "FAKE": str(fake), "LC_ALL": "C"}
    held = [sys.executable, "-c", LOCK_HELD, str(lock), "sh", "-euc", script]
    assert subprocess.run(held, env=env, check=False).returncode == LOCKED
    assert not (fake / "calls").exists()
    (fake / "installs").write_text(DNF5_INSTALLS)
    subprocess.run(held[4:], env=env, check=False)
    assert (fake / "calls").exists()


@pytest.mark.parametrize(("link", "word"), [("dnf-3", "remove"), ("dnf5", "dependency")])
def test_dnf_5_marks_dependencies_by_another_word(fake: Path, link: str, word: str) -> None:
    (fake / "dnf").rename(fake / link)
    (fake / "dnf").symlink_to(link)
    run(fake, DNF, "pkg_auto libtirpc")
    assert (fake / "calls").read_text().endswith(f"-y -q mark {word} libtirpc\n")


@pytest.mark.parametrize("knows", [True, False])
def test_of_two_versions_that_a_killed_dnf_left_the_older_one_goes(fake: Path, knows: bool) -> None:
    rpm = """\
#!/bin/sh
case "$1 $2" in
    '-qa --qf') printf '%s\\n' app.noarch lib.i686 lib.x86_64 app.noarch kernel.x86_64 kernel.x86_64 ;;
    '-q --last') echo "${3%.*}-2-1.noarch Fri"; echo "${3%.*}-1-1.noarch Thu" ;;
    *) echo "rpm $*" >>"$FAKE/calls" ;;
esac
"""
    (fake / "rpm").write_text(rpm)
    if not knows:
        (fake / "status").write_text("2")
    done = run(fake, DNF, "pkg_mend")
    calls = (fake / "calls").read_text().splitlines()
    assert done.returncode == 0, done.stderr
    assert calls[0].endswith("-y -q remove --duplicates")
    assert calls[1:] == ([] if knows else ["rpm -e --nodeps --noscripts app-1-1.noarch"])


def test_what_a_package_provides_is_removed_by_the_packages_own_name(fake: Path) -> None:
    provides = '#!/bin/sh\n[ "$2" = --whatprovides ] && [ "$5" = iptables ] || exit 1\necho iptables-nft\n'
    (fake / "rpm").write_text(provides)
    (fake / "removes").write_text(DNF5_REMOVES)
    run(fake, DNF, 'pkg_plan "" "iptables other" ""')
    assert (fake / "calls").read_text().splitlines()[0].endswith("--assumeno remove iptables-nft other")


def test_another_pacman_is_waited_for_up_to_the_limit(fake: Path) -> None:
    (fake / "says").write_text("error: failed to init transaction (unable to lock database)\n")
    done = run(fake, PACMAN, "lock_wait=10; _pacman -S x")
    assert done.returncode == LOCKED
    assert len((fake / "calls").read_text().splitlines()) == 6


def test_pacmans_lists_are_refreshed_only_where_they_do_not_know_a_package(fake: Path) -> None:
    run(fake, PACMAN, 'pkg_plan fail2ban "" ""; pkg_change')
    assert not [
        line for line in (fake / "calls").read_text().splitlines() if line.startswith("--noconfirm") and "-Sy" in line
    ]
    (fake / "says").write_text("error: target not found: x\n")
    run(fake, PACMAN, "pkg_install x")
    assert "--noconfirm --noprogressbar -Sy" in (fake / "calls").read_text().splitlines()

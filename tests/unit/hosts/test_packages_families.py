"""The shell functions for dnf, yum and pacman, with managers that say what the real ones say."""

import os
import subprocess
from pathlib import Path

import pytest

from hosts.packages_dnf import DNF
from hosts.packages_limits import LOCKED
from hosts.packages_pacman import PACMAN

DNF_REMOVES = """\
Dependencies resolved.
================================================================================
 Package            Architecture  Version              Repository          Size
================================================================================
Removing:
 rpcbind            x86_64        1.2.6-4.rc3.fc40     @fedora            107 k
Removing dependent packages:
 nfs-utils          x86_64        1:2.6.4-0.rc6.fc40   @fedora            1.2 M
Removing unused dependencies:
 a-name-that-is-too-long-for-its-column
                    x86_64        1.3.4-1.rc3.fc40     @fedora            200 k
 quota              x86_64        1:4.09-6.fc40        @fedora            873 k

Transaction Summary
================================================================================
Remove  4 Packages

Freed space: 2.4 M
Operation aborted.
"""
YUM_REMOVES = """\
Dependencies Resolved

================================================================================
 Package           Arch           Version                   Repository     Size
================================================================================
Removing:
 rpcbind           x86_64         0.2.0-49.el7              @base         101 k
Removing for dependencies:
 nfs-utils         x86_64         1:1.3.0-0.68.el7          @base         1.1 M

Transaction Summary
================================================================================
Remove  1 Package (+1 Dependent package)

Installed size: 1.2 M
Exiting on user command
"""
DNF_INSTALLS = """\
Dependencies resolved.
================================================================================
 Package               Architecture  Version             Repository        Size
================================================================================
Installing:
 fail2ban-server       noarch        1.0.2-9.fc40        fedora           474 k
Upgrading:
 python3-libs          x86_64        3.12.3-2.fc40       updates          9.1 M
Installing dependencies:
 python3-systemd       x86_64        235-8.fc40          fedora           107 k

Transaction Summary
================================================================================
Install  2 Packages
Upgrade  1 Package

Total download size: 9.7 M
Operation aborted.
"""
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


@pytest.mark.parametrize(
    ("told", "lost"),
    [
        (DNF_REMOVES, "a-name-that-is-too-long-for-its-column nfs-utils quota rpcbind"),
        (YUM_REMOVES, "nfs-utils rpcbind"),
    ],
)
def test_dnfs_and_yums_tables_are_read(fake: Path, told: str, lost: str) -> None:
    (fake / "removes").write_text(told)
    (fake / "installs").write_text(DNF_INSTALLS)
    done = run(fake, DNF, PLAN)
    assert done.stdout.splitlines() == [lost, "fail2ban-server python3-systemd"], done.stderr


def test_what_comes_is_downloaded_before_anything_goes(fake: Path) -> None:
    (fake / "removes").write_text(YUM_REMOVES)
    (fake / "installs").write_text(DNF_INSTALLS)
    run(fake, DNF, PLAN)
    done = [line.split("install_weak_deps=False ")[1] for line in (fake / "calls").read_text().splitlines()]
    assert done[-3:] == [
        "-y -q --downloadonly install fail2ban-server-1.0",
        "-y -q --setopt=clean_requirements_on_remove=False remove rpcbind nfs-utils",
        "-y -q install fail2ban-server-1.0",
    ]


def test_what_the_declared_ones_need_stays(fake: Path) -> None:
    (fake / "removes").write_text(DNF_REMOVES)
    done = run(fake, DNF, 'pkg_plan "" rpcbind quota; echo $_drops')
    assert done.stdout == "rpcbind a-name-that-is-too-long-for-its-column nfs-utils\n"
    pacman = run(fake, PACMAN, 'pkg_plan "" rpcbind kept; echo $_drops; echo $pkg_lost')
    assert pacman.stdout == "rpcbind libtirpc\nlibtirpc rpcbind\n", pacman.stderr


def test_what_dnf_itself_protects_is_told_by_name(fake: Path) -> None:
    refusal = "Error: \n Problem: The operation would result in removing the following protected packages: dnf, sudo\n"
    (fake / "removes").write_text(refusal)
    done = run(fake, DNF, 'pkg_plan "" python3 ""; echo $pkg_lost')
    assert done.stdout == "dnf sudo\n", done.stderr


def test_an_error_of_the_plan_is_told(fake: Path) -> None:
    (fake / "installs").write_text("Error: Unable to find a match: no-such-package\n")
    done = run(fake, DNF, 'pkg_plan no-such-package "" ""')
    assert done.returncode != 0
    assert "Unable to find a match: no-such-package" in done.stderr


def test_another_dnf_is_waited_for_up_to_the_limit(fake: Path) -> None:
    (fake / "status").write_text("200")
    done = run(fake, DNF, "lock_wait=10; _dnf install x")
    assert done.returncode == LOCKED
    assert len((fake / "calls").read_text().splitlines()) == 6


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

"""The lab's requirements of the machine that it runs on, and their installation."""

import os
import shutil
import sys
from pathlib import Path

from local.lab.errors import LabError
from local.lab.progress import Progress
from local.lab.run import run

# program -> its Debian/Ubuntu package
NEEDED = {
    "apt-ftparchive": "apt-utils",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "mount": "mount",
    "nsenter": "util-linux",
    "perl": "perl-base",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}
IPV6_SETTINGS = Path("/proc/sys/net/ipv6")
INSTALL_LIMIT = 600.0
WAY_OUT = (
    "harden hosts of your own instead, by naming them in stacks/Pulumi.<stack>.yaml (docs/lab.md, 'Without the lab')"
)


def check_machine() -> None:
    """Raise unless this is Linux and we are root.

    Raises:
        LabError: it is not; says what the lab needs and how to get it.
    """
    if not sys.platform.startswith("linux"):
        raise LabError(f"the lab needs root on Debian or Ubuntu Linux (this is {sys.platform}); {WAY_OUT}")
    if os.geteuid() != 0:
        raise LabError(f"the lab needs root on Debian or Ubuntu Linux (you are user id {os.geteuid()}); {WAY_OUT}")


def install_needed(progress: Progress) -> None:
    """Install missing programs that the lab needs from the machine's own packages.

    Raises:
        LabError: there is no apt-get, or it failed.
    """
    packages = sorted({package for program, package in NEEDED.items() if shutil.which(program) is None})
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise LabError(
            f"the lab needs root on Debian or Ubuntu Linux (no apt-get to install {', '.join(packages)}); {WAY_OUT}"
        )
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with progress.step(f"installing {', '.join(packages)} on this machine with apt-get"):
        run(["apt-get", "update"], limit=INSTALL_LIMIT, env=env, check=False)
        run(["apt-get", "install", "-y", "--no-install-recommends", *packages], limit=INSTALL_LIMIT, env=env)


def check_kernel() -> None:
    """Raise unless the kernel supports IPv6 and lets us create mount and network namespaces.

    Raises:
        LabError: says which of them is missing and how to get it.
    """
    if run(["unshare", "--mount", "--net", "--propagation", "private", "true"], check=False).returncode != 0:
        raise LabError(f"the lab may not make namespaces here (a container needs --privileged); {WAY_OUT}")
    if not IPV6_SETTINGS.is_dir():
        raise LabError(f"the lab needs a kernel with IPv6 (this one was started with ipv6.disable=1); {WAY_OUT}")

"""Which distribution a host runs, as found by `hosts/system/distro.sh` from the table in `hosts/system/families.sh`.

Another distribution needs an entry there, its title here, a lab variant that proves it (local/lab/families), and its
line in docs/distributions.md.
"""

UNSUPPORTED = 92
"""Exit status: the host belongs to no supported family."""

SUPPORTED = {
    "debian7": "Debian 7",
    "debian": "Debian from 8, Ubuntu from 15.04 and those derived from them",
    "fedora": "Fedora 22 to 40, and RHEL, CentOS Stream, AlmaLinux and Rocky Linux from 8",
    "fedora41": "Fedora from 41 on",
    "centos7": "RHEL and CentOS 7, Fedora 18 to 21",
    "centos6": "RHEL and CentOS 6, Fedora 10 to 17",
    "arch": "Arch Linux",
    "opensuse": "openSUSE Leap from 15 on and Tumbleweed, but for firewall and updates",
}
"""The families that the chapters support, with their names for messages."""

UNSUPPORTED_EXIT = {
    UNSUPPORTED: f"this distribution is not supported; supported are {'; '.join(SUPPORTED.values())}",
}
"""For `Script.exits` of scripts that call `known_distro`."""

"""What is installed on a host for the check at boot: the program `look`, and the units or scripts that start it.

Loading rules at boot can fail in many ways: a missing set, name or module, a broken file, a loader that an upgrade
removed, another program that flushes. The kernel then accepts everything. So a unit of our own, ordered after the
distribution's loader and before the network, closes the host except for the declared way in, and logs why. Once all
services are started it checks again, because one of them may have flushed the rules. `keep.sh` installs all of this.
"""

from functools import cache

from hosts.scripts import script
from hosts.shell import assigned

FOLDER = "/var/lib/stockade/boot"
CLOSED = "STOCKADE-CLOSED"
CLOSED_FORWARD = "STOCKADE-CLOSED-FORWARD"
NFT_TABLE = "stockade_closed"

_LOADERS = ("netfilter-persistent", "iptables", "ip6tables", "iptables-persistent", "nftables", "ufw", "firewalld")
_EARLY = """\
DefaultDependencies=no
After=local-fs.target systemd-journald.socket systemd-journald-dev-log.socket systemd-modules-load.service
After=stockade-guard.service
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
"""

_RED_HAT = """\
# chkconfig: 2345 09 99
# description: closes the host if the firewall declared by Stockade is not in force
"""
"""For SysV init on Red Hat: before iptables (08), after it and before the network (10), and last of all."""

_DEBIAN = {
    "sets": (
        "stockade-sets",
        "# Required-Start: mountkernfs $local_fs\n# X-Start-Before: iptables-persistent networking\n# Default-Start: S",
    ),
    "first": (
        "stockade-firewall",
        "# Required-Start: $local_fs\n# Should-Start: iptables-persistent nftables ufw stockade-guard\n"
        "# X-Start-Before: networking\n# Default-Start: S",
    ),
    "second": ("stockade-firewall-again", "# Required-Start: $all\n# Default-Start: 2 3 4 5"),
}


def look_program() -> str:
    """Return the program that checks at boot whether the declared rules are in force."""
    values = {"folder": FOLDER, "chain": CLOSED, "forward_chain": CLOSED_FORWARD, "table": NFT_TABLE}
    return f"#!/bin/sh\n{assigned(values)}{script('components/firewall/boot/look.sh')}"


@cache
def installed() -> str:
    """Return the texts that `keep.sh` installs, as assignments to precede `commit.sh`."""
    loaders = " ".join(f"{name}.service" for name in _LOADERS)
    return assigned(
        {
            "look_program": look_program(),
            "sets_unit": _unit(
                "Restore the sets that the firewall declared by Stockade uses",
                f"{_EARLY}Before={loaders}\n",
                "sets",
            ),
            "first_unit": _unit(
                "Close the host if the firewall declared by Stockade is not in force",
                f"{_EARLY}After={loaders}\nWants=network-pre.target\n",
                "first",
            ),
            "second_unit": _unit(
                "Check the firewall declared by Stockade again, when all services have started",
                "After=multi-user.target rc-local.service cloud-final.service stockade-firewall.service\n",
                "second",
            ),
            "one_init": _init(_RED_HAT),
            **{f"{look}_init": debian_init(look) for look in _DEBIAN},
        }
    )


def debian_init(look: str) -> str:
    """Return the SysV init script for Debian that runs the check `sets`, `first` or `second`."""
    name, order = _DEBIAN[look]
    head = f"""\
### BEGIN INIT INFO
# Provides: {name}
{order}
# Required-Stop:
# Default-Stop:
# Short-Description: closes the host if the declared firewall is not in force
### END INIT INFO
"""
    return _init(head, look)


def _unit(description: str, order: str, look: str) -> str:
    return f"""\
[Unit]
Description={description}
{order}ConditionPathExists={FOLDER}/look
[Service]
Type=oneshot
ExecStart=/bin/sh {FOLDER}/look {look}
[Install]
WantedBy=multi-user.target
"""


def _init(head: str, look: str = "") -> str:
    return f"#!/bin/sh\n{head}{assigned({'folder': FOLDER, 'look': look})}{script('components/firewall/boot/init.sh')}"

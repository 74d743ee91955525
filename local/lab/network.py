"""The lab's network: a bridge with a port for each host, for an outside observer and for this machine. The bridge is in
its own network namespace, so that the machine's firewall never sees bridged packets. There is no route out."""

from pathlib import Path

from local.lab.errors import LabError
from local.lab.machine import WAY_OUT
from local.lab.run import run, tail
from local.lab.store import IPV4_NETWORK, IPV6_NETWORK, HostRecord

SWITCH = "stockade-lab"  # namespace of the bridge
OUTSIDE = "stockade-outside"  # namespace of the observer, from which tests send packets
BRIDGE = "stockade0"  # the bridge in SWITCH, and the machine's own interface to it
MACHINE_IPV4, MACHINE_IPV6 = f"{IPV4_NETWORK}.1", f"{IPV6_NETWORK}:1"
OUTSIDE_IPV4, OUTSIDE_IPV6 = f"{IPV4_NETWORK}.200", f"{IPV6_NETWORK}:200"
NETNS_FOLDER = Path("/run/netns")
MOUNTED_BY_US = "netns-mounted"  # mark in the run folder

_UP = """\
set -eu
ip netns add "$1"
ip netns add "$2"
ip -n "$1" link add "$3" type bridge forward_delay 0 mcast_snooping 0
ip -n "$1" link set lo up
ip -n "$1" link set "$3" up
ip link add "$3" type veth peer name machine netns "$1"
ip -n "$2" link add eth0 type veth peer name outside netns "$1"
ip -n "$1" link set machine master "$3" up
ip -n "$1" link set outside master "$3" up
echo 0 >"/proc/sys/net/ipv6/conf/$3/disable_ipv6"
echo 0 >"/proc/sys/net/ipv6/conf/$3/accept_ra"
echo 0 >"/proc/sys/net/ipv6/conf/$3/accept_dad"
ip -4 address add "$4/24" dev "$3"
ip -6 address add "$5/64" dev "$3" nodad
ip link set "$3" up
ip -n "$2" link set lo up
ip -n "$2" -4 address add "$6/24" dev eth0
ip -n "$2" -6 address add "$7/64" dev eth0 nodad
ip -n "$2" link set eth0 up
"""

# Deleting a namespace deletes its interfaces with a delay. Deleting those first frees their names at once.
_DOWN = """\
ip link delete "$3"
ip -n "$2" link delete eth0
ip netns delete "$2"
ip netns delete "$1"
true
"""

# $1 file for the namespace, $2 switch, $3 port, $4 MAC, $5 bridge. Every boot gets a new namespace, so that rules and
# connections are gone, as after a real reboot.
_PLUG = """\
set -eu
umount "$1" 2>/dev/null || true
: >"$1"
unshare --net="$1" true
ip -n "$2" link delete "$3" 2>/dev/null || true
ip -n "$2" link add "$3" type veth peer name eth0 address "$4" netns "$1"
ip -n "$2" link set "$3" master "$5" up
"""


def network_is_up() -> bool:
    """Whether the bridge and both namespaces exist and are usable."""
    return run(["ip", "-n", SWITCH, "link", "show", "dev", "outside"], check=False).returncode == 0


def network_up(run_folder: Path) -> None:
    """Create bridge, namespaces and addresses if they are missing. A network half made by a crash is created again."""
    if network_is_up():
        return
    network_down(run_folder)
    if not _netns_folder_is_mounted():
        (run_folder / MOUNTED_BY_US).touch()
    _check_addresses_are_free()
    addresses = (MACHINE_IPV4, MACHINE_IPV6, OUTSIDE_IPV4, OUTSIDE_IPV6)
    run(["sh", "-c", _UP, "sh", SWITCH, OUTSIDE, BRIDGE, *addresses], name="making the lab's network")


def _check_addresses_are_free() -> None:
    """Raise if the machine already routes the lab's addresses elsewhere: it must not be cut off from them."""
    for family, network in (("-4", f"{IPV4_NETWORK}.0/24"), ("-6", f"{IPV6_NETWORK}:/64")):
        routes = run(["ip", family, "route", "show", "root", network]).stdout.strip()
        if routes:
            raise LabError(f"the lab's network {network} is in use on this machine: {tail(routes)}; {WAY_OUT}")


def network_down(run_folder: Path) -> None:
    """Remove bridge, namespaces and the machine's interface, if they exist."""
    run(["sh", "-c", _DOWN, "sh", SWITCH, OUTSIDE, BRIDGE], check=False)
    for name in (SWITCH, OUTSIDE):  # placeholders, left if the machine went down with the lab up
        (NETNS_FOLDER / name).unlink(missing_ok=True)
    ours = run_folder / MOUNTED_BY_US
    if ours.exists() and not any(NETNS_FOLDER.glob("*")):
        if _netns_folder_is_mounted():
            run(["umount", str(NETNS_FOLDER)])
        ours.unlink()


def _netns_folder_is_mounted() -> bool:
    """Whether /run/netns is a mount point; the first `ip netns add` of a machine makes it one."""
    return any(line.split()[4] == str(NETNS_FOLDER) for line in Path("/proc/self/mountinfo").read_text().splitlines())


def plug(record: HostRecord, namespace: Path) -> None:
    """Give a host a fresh network namespace, held by the file `namespace`, with eth0 on the lab's bridge."""
    run(["sh", "-c", _PLUG, "sh", str(namespace), SWITCH, port(record), record.mac, BRIDGE], name="plugging in")


def unplug(record: HostRecord) -> None:
    """Remove a host's port from the bridge, if it exists."""
    run(["ip", "-n", SWITCH, "link", "delete", port(record)], check=False)


def set_link(record: HostRecord, *, up: bool) -> None:
    """Unplug the host's network cable, or plug it in again."""
    run(["ip", "-n", SWITCH, "link", "set", port(record), "up" if up else "down"])


def port(record: HostRecord) -> str:
    """The bridge port of a host (an interface name: 15 characters at most)."""
    return f"port{record.index}"

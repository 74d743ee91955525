"""The promises of docs/lab.md: real hosts, isolated from each other and from the world, that leave no trace."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.lab.api import OUTSIDE_IPV4, Lab, LabHost
from local.lab.banner import wait_for_ssh
from local.lab.control import CRASHED, Order, send
from local.lab.errors import LabError

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="the lab needs root on Linux"),
]

CHECKOUT = Path(__file__).parents[2]
NAMES = ["self1", "self2"]


@pytest.fixture(scope="module")
def pair() -> Iterator[list[LabHost]]:
    """Two hosts, brought up in parallel."""
    lab = Lab()
    lab.down(NAMES)
    yield lab.up(NAMES)
    lab.down(NAMES)


@pytest.fixture
def host(pair: list[LabHost]) -> LabHost:
    """The first of them, running."""
    return pair[0]


def ssh(name: str, command: str) -> str:
    """Run a command over SSH, with the host key checked."""
    argv = ["ssh", "-F", str(CHECKOUT / ".lab/ssh_config"), "-o", "BatchMode=yes", name, command]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30, stdin=subprocess.DEVNULL).stdout


def cli(*words: str, check: bool = True, text: str = "") -> subprocess.CompletedProcess[str]:
    """stockade lab"""
    argv = [sys.executable, "-m", "local.lab", *words]
    return subprocess.run(argv, cwd=CHECKOUT, input=text, capture_output=True, text=True, check=check, timeout=120)


def test_root_logs_in_over_both_families(pair: list[LabHost]) -> None:
    for host in pair:
        assert ssh(host.name, "hostname; echo $SSH_CONNECTION").split()[::3] == [host.name, host.ipv4]
        assert ssh(f"{host.name}.ipv6", "hostname; echo $SSH_CONNECTION").split()[::3] == [host.name, host.ipv6]


def test_a_host_is_a_whole_system_in_good_health(host: LabHost) -> None:
    assert host.exec("cat /proc/1/comm; systemctl is-system-running").stdout.split() == ["systemd", "running"]
    assert host.exec("command -v python3", check=False).returncode != 0


def test_rules_of_one_host_are_not_those_of_another(pair: list[LabHost]) -> None:
    first, second = pair
    for family, program in ((4, "iptables"), (6, "ip6tables")):
        first.exec([program, "-A", "INPUT", "-p", "tcp", "--dport", "81", "-j", "DROP"])
        assert "--dport 81" in first.iptables_save(family)
        assert "--dport 81" not in second.iptables_save(family)


def test_packages_install_offline_and_can_be_purged(host: LabHost) -> None:
    host.exec("DEBIAN_FRONTEND=noninteractive apt-get install -y iptables-persistent </dev/null")
    assert host.exec("systemctl is-active netfilter-persistent").stdout == "active\n"
    host.exec("DEBIAN_FRONTEND=noninteractive apt-get purge -y iptables-persistent netfilter-persistent </dev/null")
    assert host.exec("dpkg -s iptables-persistent", check=False).returncode != 0


def test_no_route_leads_out(host: LabHost) -> None:
    assert "default" not in host.exec("ip -4 route; ip -6 route").stdout
    assert host.exec(["ping", "-c1", "-W1", "192.0.2.1"], check=False).returncode != 0


def test_a_reboot_keeps_disk_and_host_key_and_nothing_else(host: LabHost) -> None:
    for hard in (False, True):
        boots = host.status().boots
        host.exec("touch /root/kept /run/gone; iptables -A INPUT -p tcp --dport 82 -j DROP; systemctl daemon-reload")
        host.reboot(hard=hard)
        assert host.status().boots == boots + 1
        assert host.exec("ls /root/kept /run/gone", check=False).stdout == "/root/kept\n"
        assert "--dport 82" not in host.iptables_save()
        assert ssh(f"{host.name}.ipv6", "hostname") == f"{host.name}\n"


def test_the_firewall_is_loaded_before_the_addresses_are_there(host: LabHost) -> None:
    host.exec("DEBIAN_FRONTEND=noninteractive apt-get install -y iptables-persistent </dev/null")
    host.exec("iptables -A INPUT -p tcp --dport 83 -j DROP; netfilter-persistent save")
    host.reboot()
    assert "--dport 83" in host.iptables_save()
    after = host.exec(
        "systemctl show -P After lab-network.service; systemctl show -P Before netfilter-persistent.service"
    )
    assert after.stdout.count("network-pre.target") == 2


def test_a_reset_gives_the_pristine_disk_back(host: LabHost) -> None:
    host.exec("touch /root/mine; iptables -A INPUT -p tcp --dport 84 -j DROP")
    host.reset()
    assert host.exec("ls /root").stdout == ""
    assert "--dport" not in host.iptables_save()
    assert ssh(host.name, "hostname") == f"{host.name}\n"


def test_a_host_that_was_shut_down_starts_again_with_its_disk(host: LabHost) -> None:
    host.exec("touch /root/kept")
    host.exec(["systemctl", "poweroff"], check=False)
    wait_until_off(host)
    with pytest.raises(LabError, match=f"{host.name} is off: start it with stockade lab up {host.name}"):
        host.exec("true")
    (again,) = Lab().up([host.name])
    assert again.exec("ls /root").stdout == "kept\n"


def wait_until_off(host: LabHost) -> None:
    """The supervisor answers between events, so a bounded number of requests is enough."""
    for _ in range(1000):
        if host.status().state == "off":
            return
        subprocess.run(["sleep", "0.01"], check=True)
    pytest.fail(f"{host.name} is still {host.status().state}")


def test_the_outside_sees_open_closed_and_filtered_ports(host: LabHost) -> None:
    lab = Lab()
    host.exec("iptables -A INPUT -p tcp --dport 85 -j DROP; ip6tables -A INPUT -p tcp --dport 85 -j DROP")

    def connect(address: str, port: int) -> int:
        return lab.outside(["bash", "-c", f"timeout 1 bash -c '</dev/tcp/{address}/{port}'"], check=False).returncode

    for address in (host.ipv4, host.ipv6):
        assert [connect(address, port) for port in (22, 86, 85)] == [0, 1, 124]
    host.exec(f"iptables -I INPUT -s {OUTSIDE_IPV4} -j DROP")
    assert connect(host.ipv4, 22) == 124
    assert ssh(host.name, "hostname") == f"{host.name}\n"
    host.reset()


def test_a_pulled_cable_cuts_one_host_off(pair: list[LabHost]) -> None:
    first, second = pair
    first.cut()
    with pytest.raises(LabError, match="did not answer"):
        wait_for_ssh(first.name, first.ipv4, 22, 1)
    second.wait_for_ssh(5)
    first.mend()
    first.wait_for_ssh()


def test_a_killed_supervisor_leaves_a_host_that_up_replaces(host: LabHost) -> None:
    """Even if another checkout started it: a killed test run must not block the next one."""
    lab = Lab()
    folder = lab.places.host_run(host.name)
    before = send(folder, Order.STATUS)
    os.kill(before.supervisor_pid, 9)
    for _ in range(1000):
        if send(folder, Order.STATUS) == CRASHED:
            break
        subprocess.run(["sleep", "0.01"], check=True)
    assert host.status().state == "crashed"
    record = folder / "record.json"
    record.write_text(record.read_text().replace(str(CHECKOUT), "/a/checkout/of/yesterday"))
    (again,) = lab.up([host.name])
    assert (again.ipv4, again.status().state, again.status().boots) == (host.ipv4, "running", 1)
    assert not is_alive(before.init_pid)


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie (those are reaped by the machine's init at some time)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_up_twice_changes_nothing(pair: list[LabHost]) -> None:
    before = [host.status() for host in pair]
    done = cli("up", *NAMES)
    assert [host.status() for host in pair] == before
    assert done.stderr.splitlines() == [f"{name} is running already" for name in NAMES]


def test_another_checkout_may_not_take_a_host_over(host: LabHost, tmp_path: Path) -> None:
    with pytest.raises(LabError, match=f"host {host.name} belongs to the checkout {CHECKOUT}"):
        Lab(tmp_path).up([host.name])
    assert host.status().state == "running"


def test_exec_passes_input_output_and_exit_status(host: LabHost) -> None:
    done = cli("exec", host.name, "sh", "-c", "cat; echo problem >&2; exit 7", check=False, text="data")
    assert (done.stdout, done.stderr, done.returncode) == ("data", "problem\n", 7)


def test_status_is_a_contract(host: LabHost) -> None:
    (status,) = [entry for entry in json.loads(cli("status", "--json").stdout) if entry["name"] == host.name]
    known = f"{host.name},{host.ipv4},{host.ipv6} {status['host_key']}"
    assert known in Path(status["known_hosts"]).read_text().splitlines()
    assert os.readlink(status["netns"]) == os.readlink(f"/proc/{status['init_pid']}/ns/net")
    assert {key: status[key] for key in ("variant", "state", "ipv4", "ipv6", "port", "key_file")} == {
        "variant": "debian",
        "state": "running",
        "ipv4": host.ipv4,
        "ipv6": host.ipv6,
        "port": 22,
        "key_file": str(host.key_file),
    }
    assert [(user["name"], user["key_file"]) for user in status["users"]] == [("root", str(host.key_file))]


# As on another machine with respect to names: other hosts of the lab are neither seen nor changed.
TRACES = """\
set -eu
umount -R /run/netns 2>/dev/null || true
mount -t tmpfs tmpfs /run
ip link set lo up
traces() {
    cat /proc/self/mounts; ip -o link; ip netns; ps -wweo args | grep '[t]race[12]' || true
    find /sys/fs/cgroup -name 'trace[12]'; iptables-save; ls /run/stockade-lab/hosts 2>/dev/null || true
}
traces >"$1/before"
"$2" -m local.lab up trace1 trace2
traces >"$1/during"
"$2" -m local.lab down
"$2" -m local.lab down
traces >"$1/after"
"""


def test_down_leaves_the_machine_as_it_was(tmp_path: Path) -> None:
    argv = ["unshare", "--mount", "--net", "sh", "-c", TRACES, "sh", str(tmp_path), sys.executable]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    before, during, after = ((tmp_path / name).read_text() for name in ("before", "during", "after"))
    assert "stockade-outside" in during
    assert "machine=trace1" in during
    assert after == before

"""Machines as seen from the network: ports, sshd's banner, logins. Everything else is asked on the host."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local.lab.api import Lab, LabHost
from tests.life.world import PORTS

# Runs in the observer's network namespace, with connections and logins to all machines in parallel.
_LOOK = r"""
import json, re, socket, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

def open_(address, port):
    for _ in range(2):
        try:
            with socket.create_connection((address, port), timeout=2):
                return True
        except TimeoutError:
            continue
        except OSError:
            return False
    return False

def banner(address):
    try:
        with socket.create_connection((address, 22), timeout=10) as line:
            words = line.makefile("rb").readline().decode().split()
            return " ".join(words[2:]) if words else "nothing"
    except OSError as error:
        return repr(error)

def ssh(address, user, *options):
    argv = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=" + known, "-o", "ConnectTimeout=10",
            "-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes", *options, user + "@" + address,
            "sudo -n id -u 2>/dev/null || echo in"]
    return subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)

def login(address, user, key):
    done = ssh(address, user, "-i", key, "-o", "PreferredAuthentications=publickey")
    if "Permission denied" in done.stderr:
        return "out"
    return {"0": "root", "in": "in"}.get(done.stdout.strip(), done.stdout + done.stderr)

def passwords(address):
    told = ssh(address, "nosuch", "-o", "PreferredAuthentications=none").stderr
    return "password" in told if "Permission denied" in told else told

known, keys, root, machines, ports = json.loads(sys.argv[1])
jobs = {}
with ThreadPoolExecutor(10) as pool:
    for name, (ipv4, ipv6) in machines.items():
        mine = jobs[name] = {}
        for family, address in (("ipv4", ipv4), ("ipv6", ipv6)):
            for port in ports:
                mine[f"{family} tcp {port}"] = pool.submit(open_, address, port)
        mine["sshd says"] = pool.submit(banner, ipv4)
        mine["root logs in"] = pool.submit(login, ipv6, "root", root)
        mine["takes passwords"] = pool.submit(passwords, ipv4)
        for number, key in keys.items():
            for user, address in (("deploy", ipv4), ("guest", ipv6)):
                mine[f"{user} with key {number}"] = pool.submit(login, address, user, key)
print(json.dumps({name: {what: job.result() for what, job in mine.items()} for name, mine in jobs.items()}))
"""

# Facts that are invisible from outside; empty if the chapter is not in force.
_INSIDE = r"""
fail2ban-client get sshd maxretry 2>/dev/null || echo
apt-config dump 2>/dev/null | sed -n 's/^Unattended-Upgrade::Automatic-Reboot-Time "\(.*\)";/\1/p' | tail -n 1
"""


def look(lab: Lab, hosts: Iterable[LabHost], keys: Mapping[int, Path]) -> dict[str, dict[str, object]]:
    """Return the facts about each host."""
    hosts = list(hosts)
    if not hosts:
        return {}
    addresses = {host.name: (host.ipv4, host.ipv6) for host in hosts}
    known = " ".join(str(host.known_hosts) for host in hosts)
    wish = [known, {number: str(key) for number, key in keys.items()}, str(hosts[0].key_file), addresses, PORTS]
    with ThreadPoolExecutor() as pool:
        inside = {host.name: pool.submit(host.exec, _INSIDE, check=False) for host in hosts}
        argv = [sys.executable, "-c", _LOOK, json.dumps(wish)]
        found: dict[str, dict[str, object]] = json.loads(lab.outside(argv, limit=180).stdout)
    for name, facts in found.items():
        told = [*inside[name].result().stdout.splitlines(), "", ""]
        facts["fail2ban"], facts["updates"] = told[:2]
        facts["root logs in"] = {"root": True, "in": True, "out": False}.get(
            str(facts["root logs in"]), facts["root logs in"]
        )
    return found


def make_key(path: Path) -> Path:
    """Create an SSH key, unless it exists."""
    if not path.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path

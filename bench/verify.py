"""Verifies the result of a tool from the outside: the host itself, and real logins and packets."""

import subprocess

from bench.job import ABSENT, PRESENT, USER, Job
from bench.tools.base import Target
from local.lab.api import LabHost

_LOOK = f"""\
fail() {{ echo "$*"; exit 1; }}
for name in {" ".join(PRESENT)}; do
    [ "$(dpkg-query -W -f '${{db:Status-Status}}' "$name" 2>/dev/null)" = installed ] || fail "$name is not installed"
done
for name in {" ".join(ABSENT)}; do
    [ "$(dpkg-query -W -f '${{db:Status-Status}}' "$name" 2>/dev/null)" != installed ] || fail "$name is installed"
done
id -nG {USER} | grep -qw sudo || fail "{USER} is not in the group sudo"
for setting in 'permitrootlogin no' 'passwordauthentication no' 'kbdinteractiveauthentication no'; do
    sshd -T 2>/dev/null | grep -qx "$setting" || fail "sshd: not $setting"
done
tries=0 # fail2ban answers a moment after its start
until fail2ban-client status sshd >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || fail "fail2ban has no jail for sshd"
    sleep 0.2
done
apt-config dump APT::Periodic::Unattended-Upgrade | grep -q '"1"' || fail "no unattended upgrades"
systemctl -q is-enabled netfilter-persistent || fail "the rules are not loaded at boot"
for tool in iptables ip6tables; do
    file=/etc/iptables/rules.v4
    [ $tool = iptables ] || file=/etc/iptables/rules.v6
    for port in 22 80 443 $ports; do
        $tool -S INPUT | grep -q -- "--dport $port .*ACCEPT" || fail "$tool: port $port is closed"
        grep -q -- "--dport $port .*ACCEPT" "$file" || fail "$file: port $port is closed"
    done
    [ "$($tool -S INPUT | grep -c -- '--dport 80[89][0-9]')" = "$further" ] || fail "$tool: more ports are open"
    $tool -S INPUT | tail -1 | grep -q 'REJECT' || fail "$tool: nothing is denied"
done
"""


def faults(hosts: list[LabHost], job: Job) -> list[str]:
    """Deviations from the job, by host."""
    found = []
    for host in hosts:
        values = f"ports='{' '.join(map(str, job.ports))}' further={len(job.ports)}\n"
        looked = host.exec(values + _LOOK, check=False)
        if looked.returncode:
            found.append(f"{host.name}: {(looked.stdout + looked.stderr).strip()}")
        for user, wanted in ((USER, "root"), ("root", "")):
            got = _login(host, user)
            if got != wanted:
                found.append(f"{host.name}: a login as {user} {'works' if got else 'does not work'}")
    return found


def logins(host: LabHost) -> int:
    """How many logins a host has had so far."""
    counted = host.exec("journalctl -q --no-pager -t sshd | grep -c 'Accepted publickey' || :")
    return int(counted.stdout)


def _login(host: LabHost, user: str) -> str:
    argv = ["ssh", *ssh_options(host), f"{user}@{host.ipv4}", "sudo -n id -un"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip()


def ssh_options(host: Target) -> tuple[str, ...]:
    """Options of OpenSSH's client that do not depend on this machine."""
    settings = {
        "UserKnownHostsFile": host.known_hosts,
        "IdentityFile": host.key_file,
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": "15",
        "ServerAliveInterval": "15",
        "LogLevel": "ERROR",
    }
    return ("-F", "none", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}")))

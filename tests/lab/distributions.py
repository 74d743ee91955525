"""Checks of every distribution after the guide, made with other tools: one function for each chapter of the guide.

Each returns what implements the chapter, for the table of docs/distributions.md, and fails if it is not in force.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from local.lab.api import Lab, LabHost
from tests.lab.families.test_guide import login
from tests.lab.outside import probe_ports

USER = "deploy"


@dataclass(frozen=True)
class Variant:
    """A lab variant and its names of things; `prepare` installs the packages to remove."""

    name: str
    title: str
    installed: str
    packages: tuple[str, ...]
    removed: str
    group: str
    rules: tuple[str, str]
    units: tuple[str, ...]
    timers: tuple[str, ...] = ()
    log: str = "journal"
    chain: str = "f2b-sshd"
    prepare: str = ":"
    settings: tuple[tuple[str, object], ...] = ()
    without: tuple[tuple[str, str], ...] = ()


_DEBIAN = Variant(
    name="debian",
    title="Debian, Ubuntu",
    installed="dpkg-query -W -f '${db:Status-Status}\\n'",
    packages=("iptables-persistent", "fail2ban", "unattended-upgrades", "sudo"),
    removed="apt-get purge",
    group="sudo",
    rules=("/etc/iptables/rules.v4", "/etc/iptables/rules.v6"),
    units=("netfilter-persistent",),
    timers=("apt-daily-upgrade.timer",),
    prepare="DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends rpcbind </dev/null",
)
_DEBIAN_8 = replace(
    _DEBIAN,
    name="debian8",
    title="Debian 8",
    timers=("cron",),
    log="/var/log/auth.log",
    chain="fail2ban-sshd",
    prepare=":",
)

VARIANTS = (
    _DEBIAN,
    replace(_DEBIAN, name="debian-11", title="Debian 11"),
    replace(_DEBIAN, name="debian-sid", title="Debian unstable"),
    Variant(
        name="fedora",
        title="Fedora, RHEL and its like",
        installed="rpm -q --qf 'installed\\n'",
        packages=("iptables-services", "fail2ban-server", "dnf-automatic", "sudo"),
        removed="dnf remove",
        group="wheel",
        rules=("/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"),
        units=("iptables", "ip6tables"),
        timers=("dnf-automatic.timer",),
        settings=(("firewall", {"takeOver": True}),),  # firewalld is active, as in Fedora's default installation
    ),
    Variant(
        name="fedora41",
        title="Fedora from 41 on",
        installed="rpm -q --qf 'installed\\n'",
        packages=("iptables-services", "fail2ban-server", "dnf5-plugin-automatic", "sudo"),
        removed="dnf remove",
        group="wheel",
        rules=("/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"),
        units=("iptables", "ip6tables"),
        timers=("dnf5-automatic.timer",),
        settings=(("firewall", {"takeOver": True}),),
    ),
    Variant(
        name="centos7",
        title="CentOS, RHEL 7",
        installed="rpm -q --qf 'installed\\n'",
        packages=("iptables-services", "fail2ban-server", "yum-cron", "sudo"),
        removed="yum remove",
        group="wheel",
        rules=("/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"),
        units=("iptables", "ip6tables"),
        timers=("yum-cron", "crond"),
        settings=(("firewall", {"takeOver": True}),),
    ),
    Variant(
        name="centos6",
        title="CentOS, RHEL 6",
        installed="rpm -q --qf 'installed\\n'",
        packages=("iptables-ipv6", "fail2ban", "yum-cron", "sudo"),
        removed="yum remove",
        group="wheel",
        rules=("/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"),
        units=("iptables", "ip6tables"),
        timers=("yum-cron", "crond"),
        log="/var/log/secure",
    ),
    _DEBIAN_8,
    replace(
        _DEBIAN_8,
        name="debian7",
        title="Debian 7",
        installed="dpkg-query -W -f '${Status}\\n'",
        units=("iptables-persistent",),
    ),
    Variant(
        name="arch",
        title="Arch",
        installed="pacman -Qi",
        packages=("iptables", "fail2ban", "python-systemd", "sudo"),
        removed="pacman -Rs",
        group="wheel",
        rules=("/etc/iptables/iptables.rules", "/etc/iptables/ip6tables.rules"),
        units=("iptables", "ip6tables"),
        settings=(("updates", False),),
        without=(("updates", "none: Arch supports no unattended updates; `updates: false` is needed"),),
    ),
)

_SNAPSHOT = """\
find /etc /var/lib/stockade -xdev ! -type d ! -name guard.log ! -path '/etc/ssh/ssh_host*' ! -path '/etc/mtab' \
    ! -path '/etc/*-' ! -name '.depend.*' \
    -exec sh -c 'for f; do echo "$(stat -c "%n %a %U %G" "$f") $(sha256sum <"$f" 2>/dev/null) $(readlink "$f")"; done' \
    x {} + 2>/dev/null | sort
{ dpkg-query -W || rpm -qa || pacman -Q; } 2>/dev/null | sort
if cd /var/lib/yum/yumdb; then grep -r . .; else
    { apt-mark showauto || dnf -q repoquery --qf '%{name}\\n' --userinstalled || pacman -Qqe; } 2>/dev/null
fi | sort
! command -v chkconfig || for unit in iptables ip6tables rpcbind fail2ban yum-cron crond sshd; do
    echo "$unit $(chkconfig --list "$unit" 2>&1)"
    case $unit in ip*) ;; *) service "$unit" status 2>&1 | tr -d 0-9 ;; esac
done
cat /etc/init.d/.depend.* 2>/dev/null | while read -r line; do echo $(printf '%s\n' $line | sort); done # insserv's
[ ! -d /etc/rcS.d ] || [ -d /run/systemd/system ] || for unit in rpcbind fail2ban cron ssh; do
    echo "$unit $(service "$unit" status 2>&1 | tr -d 0-9)"
done
for unit in firewalld rpcbind.service rpcbind.socket fail2ban ssh sshd apt-daily.timer dnf-automatic.timer \\
    dnf5-automatic.timer; do
    echo "$unit $(systemctl is-enabled "$unit" 2>/dev/null) $(systemctl is-active "$unit")"
done
for unit in netfilter-persistent iptables ip6tables; do echo "$unit $(systemctl is-enabled "$unit" 2>/dev/null)"; done
sshd -T | sort
iptables-save | grep '^-A\\|^:.*DROP'
ip6tables-save | grep '^-A\\|^:.*DROP'
nft list table inet firewalld 2>/dev/null
ss -tuln | sed 1d | awk '{ print $1, $5 }' | sort
"""


def snapshot(host: LabHost) -> list[str]:
    """What `destroy` must restore: /etc, packages and whether they are marked automatic, services, rules."""
    return host.exec(_SNAPSHOT, check=False).stdout.splitlines()


def service(host: LabHost, name: str) -> tuple[str, str]:
    """Whether a service is enabled and whether it is active, from the host's own tools in systemctl's words."""
    systemd = f"systemctl is-enabled {name}; systemctl is-active {name}"
    links = f"ls /etc/rc[2S].d/S??{name} >&2"
    on = f"if chkconfig {name} || {links}; then echo enabled; else echo disabled; fi"
    runs = f"if service {name} status >&2; then echo active; else echo inactive; fi"
    shown = host.exec(f"if command -v systemctl >&2; then {systemd}; else {on}; {runs}; fi", check=False).stdout
    enabled, active = shown.split()
    return enabled, active


def _called(units: Sequence[str], host: LabHost) -> list[str]:
    sysv = host.exec("cat /proc/1/comm").stdout == "init\n"
    return [f"service {unit}" if sysv else f"{unit}.service" for unit in units]


def _packages(lab: Lab, host: LabHost, variant: Variant) -> str:
    for name in variant.packages:
        host.exec(f"{variant.installed} {name}")
    return ", ".join(variant.packages)


def _removal(lab: Lab, host: LabHost, variant: Variant) -> str:
    found = host.exec(f"{variant.installed} rpcbind 2>/dev/null | grep '^installed\\|^Name'", check=False)
    assert found.stdout == ""
    return variant.removed


def _users(lab: Lab, host: LabHost, variant: Variant) -> str:
    key = ("-i", str(host.key_file), "-o", "IdentitiesOnly=yes")
    assert login(host, USER, *key).stdout == f"{USER}\n"
    assert variant.group in host.exec(f"id -Gn {USER}").stdout.split()
    assert host.exec(f"su {USER} -s /bin/sh -c 'sudo -n id -un'").stdout == "root\n"
    return f"group {variant.group}"


def _sshd(lab: Lab, host: LabHost, variant: Variant) -> str:
    key = ("-i", str(host.key_file), "-o", "IdentitiesOnly=yes")
    assert "Permission denied (publickey)" in login(host, "root", *key).stderr
    options = ("-o", "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no")
    assert "Permission denied (publickey)" in login(host, USER, *options).stderr
    return "keys alone, no root"


def _firewall(lab: Lab, host: LabHost, variant: Variant) -> str:
    seen = {22: "open", 80: "refused", 111: "refused", 2049: "refused"}
    assert probe_ports(lab, host, seen) == {"ipv4": seen, "ipv6": seen}
    for file, unit in zip(variant.rules, variant.units * 2, strict=False):
        assert "--dport 443" in host.exec(["cat", file]).stdout
        assert service(host, unit)[0] == "enabled"
    return f"{', '.join(variant.rules)}; {', '.join(_called(variant.units, host))}"


def _fail2ban(lab: Lab, host: LabHost, variant: Variant) -> str:
    assert service(host, "fail2ban") == ("enabled", "active")
    # fail2ban 0.8 counts each as one failure
    host.exec("for i in 1 2 3 4 5; do fail2ban-client set sshd banip 198.51.100.200; done")
    banned = f"iptables -S | grep -q '{variant.chain} -s 198.51.100.200'"
    host.exec(f"for i in $(seq 50); do ! {banned} || exit 0; sleep 0.1; done; exit 1")
    assert probe_ports(lab, host, [22])["ipv4"] == {22: "refused"}
    host.exec("fail2ban-client set sshd unbanip 198.51.100.200 || fail2ban-client reload")
    failed = "fail2ban-client status sshd | grep -q 'Total failed:[^0-9]*[1-9]'"
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    # the log is read: a failed login counts (from the operator's own address it would not)
    lab.outside(["ssh", *options, f"nobody-there@{host.ipv4}", "true"], check=False)
    host.exec(f"for i in $(seq 100); do ! {failed} || exit 0; sleep 0.1; done; exit 1")
    return f"jail sshd, {variant.log}"


def _updates(lab: Lab, host: LabHost, variant: Variant) -> str:
    if not variant.timers:
        return dict(variant.without)["updates"]
    for timer in variant.timers:
        assert service(host, timer) == ("enabled", "active")
    return ", ".join(variant.timers)


def _listeners(lab: Lab, host: LabHost, variant: Variant) -> str:
    shown = host.exec("ss -tuln | sed 1d | awk '{ print $1, $5 }' | sort").stdout.splitlines()
    assert shown == ["tcp 0.0.0.0:22", "tcp [::]:22"]
    return "sshd alone"


Check = Callable[[Lab, LabHost, Variant], str]

CHAPTERS: tuple[tuple[str, Check], ...] = (
    ("Packages installed", _packages),
    ("Services removed", _removal),
    ("Limited user", _users),
    ("SSH daemon", _sshd),
    ("Firewall, also after a reboot", _firewall),
    ("Fail2Ban", _fail2ban),
    ("Automatic updates", _updates),
    ("What listens", _listeners),
)


def table(results: dict[str, dict[str, str]], variants: Sequence[Variant]) -> str:
    """Return the results as a Markdown table, chapter by family."""
    rows = [
        ["Chapter", *(variant.title for variant in variants)],
        ["---"] * (len(variants) + 1),
        *([chapter, *(found[variant.name] for variant in variants)] for chapter, found in results.items()),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)

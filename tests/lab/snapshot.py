"""The state of a host, as text that must be the same after `destroy`."""

import re

from local.lab.api import LabHost

# Without what every installation rewrites, and without the databases of accounts: those of reinstalled packages are at
# other positions there.
_ETC = r"""
cd /etc
find . -not -name ld.so.cache -not -name '*-' -not -name .pwd.lock |
grep -Ev '^./(machine-id|g?(passwd|shadow|group))$' | sort |
while read -r p; do
    stat -c '%n %F %a %U %G' "$p"
    if [ -L "$p" ]; then readlink "$p"; elif [ -f "$p" ]; then cksum <"$p"; fi
done
"""
_PARTS = {
    "etc": _ETC,
    "packages": "dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n'; apt-mark showauto | sort",
    "units": "systemctl list-unit-files --no-legend --no-pager | awk '{ print $1, $2 }' | sort",
    # only people's accounts: Debian's packages leave their system accounts behind
    "accounts": "awk -F: '$3 == 0 || $3 >= 1000' /etc/passwd | sort;"
    " awk -F: '$3 >= 1000 || $4 != \"\"' /etc/group | sort",
    "running": "systemctl list-units --state=running,listening,waiting --type=service,socket,timer --no-legend"
    " --no-pager --plain | awk '!/^(session|user)/ { print $1 }' | sort",
    "listening": "ss -Htuln | awk '{ print $1, $5 }' | sort",
    "sshd": "mkdir -p /run/sshd; sshd -T | sort",
    "ufw": "! command -v ufw >/dev/null || ufw status",
    "ours": "ls /var/lib/stockade 2>/dev/null || :",
}


def saved(host: LabHost) -> dict[str, str]:
    """Both rulesets as iptables-save prints them, without the date and the counters."""
    texts = {"IPv4": host.iptables_save(4), "IPv6": host.iptables_save(6)}
    return {
        family: re.sub(r"\[\d+:\d+\]", "", "\n".join(line for line in text.splitlines() if line[:1] != "#"))
        for family, text in texts.items()
    }


def snapshot(host: LabHost) -> dict[str, list[str]]:
    """Settings, packages, units, sockets and firewall: lines by part, for a readable difference."""
    text = "\n".join(f"echo '## {name}'; ( {body} )" for name, body in _PARTS.items())
    parts = host.exec(text).stdout.split("## ")[1:]
    shown = {part.partition("\n")[0]: part.partition("\n")[2].splitlines() for part in parts}
    return {**shown, **{family: text.splitlines() for family, text in saved(host).items()}}


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    """The difference, by part: removed (-) and new (+) lines."""
    changed: dict[str, list[str]] = {}
    for part, lines in before.items():
        gone = [f"- {line}" for line in lines if line not in after[part]]
        new = [f"+ {line}" for line in after[part] if line not in lines]
        if lines != after[part]:
            changed[part] = [*gone, *new] or ["another order"]
    return changed

"""`Ruleset`: the iptables rules of one address family on one host, loaded atomically and loaded again at boot.

Stockade owns the rules of the built-in chains in the tables that are declared, and the chains that are declared; all
else (fail2ban's and Docker's chains, the jumps to them) is left in place. An update is one `iptables-restore --noflush`
transaction of the fewest inserts, replacements and deletions, so counters and open connections survive.

Source: the guide, "Configure a Firewall" and "Insert, Replace or Delete iptables Rules"; iptables-restore(8).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pulumi import Output, ResourceOptions
from pulumi.dynamic import Resource
from pydantic import model_validator

from components.chapter import STALE, Chapter, ChapterInputs, Failure, Known, Model
from components.dynamic import HostProvider
from hosts.files import RESTORE_FILE, SHOW_FILE, WRITE_FILE, FileState, file_state
from hosts.shell import Answer, Script
from rules import Family, Ruleset as Rules, canonical, names, parse, parse_saved, plan, render, resolve
from rules.drift import as_shown, spelled, watched_lines

HEADER = "# Written by Stockade: edit the stack config instead, changes here are overwritten.\n"


@dataclass(frozen=True)
class Tools:
    """What differs between the families on a host."""

    command: str
    boot_file: str
    database: str  # of getent(1)
    nft_family: str


TOOLS = {
    Family.IPV4: Tools("iptables", "/etc/iptables/rules.v4", "ahostsv4", "ip"),
    Family.IPV6: Tools("ip6tables", "/etc/iptables/rules.v6", "ahostsv6", "ip6"),
}

_OBSERVE = (
    SHOW_FILE
    + """\
command -v "$tool-save" >/dev/null || exit 69
section saved "$tool-save"
section version "$tool" -V
begin controller
if grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf; then echo ufw; fi
if command -v systemctl >/dev/null && systemctl is-active --quiet firewalld; then echo firewalld; fi
end
begin names
for name in $names; do
    getent "$database" "$name" | while read -r address _; do echo "$name $address"; done
done
end
show_file boot "$boot"
"""
)

# The lines that the plan was made from: if the host shows others by now, the plan's numbers are wrong.
_FRESH = """\
seen=$("$tool-save" | awk -v watched="$watched" '
    BEGIN { n = split(watched, w, " "); for (i = 1; i <= n; i++) ok[w[i]] = 1 }
    /^\\*/ { table = substr($0, 2) }
    /^:/ && ((table "/" substr($1, 2)) in ok) { print table, $1, $2 }
    /^-A / && ((table "/" $2) in ok) { print table, $0 }')
[ "$seen" = "$expected" ] || exit 75
"""

_TAKE_OVER = """\
case "$controller" in
    ufw) ufw disable ;;
    firewalld) systemctl disable --now firewalld; systemctl mask firewalld ;;
esac
"""

_LOAD = """\
if [ -n "$transaction" ]; then
    errors=$(printf '%s' "$transaction" | "$tool-restore" --noflush -w "$lock_wait" 2>&1) || {
        printf '%s\\n' "$errors" >&2
        line=$(printf '%s' "$errors" | sed -n 's/.*[Ll]ine:* \\([0-9][0-9]*\\).*/\\1/p' | head -n 1)
        [ -z "$line" ] || printf '%s' "$transaction" | sed -n "${line}s/^/refused: /p" >&2
        exit 70
    }
fi
"""

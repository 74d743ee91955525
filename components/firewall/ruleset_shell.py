"""The sh of `components/firewall/ruleset.py`, and what differs between the address families on a host.

Values: ip_family, tool (iptables, ip6tables), database (of getent), nft_family, names, and those of
`controllers_shell.py`; for a change also others_expected (what `others` printed), watched and expected (the lines that
the plan was made from), transaction, lock_wait (seconds), controller, persistent, unit_back (what the boot unit was),
and those of `boot_shell.py`. `boot` (the file loaded at boot) and `boot_unit` (what loads it) are
hosts/system/distro.py's.
"""

from components.firewall.boot_shell import BACK as BOOT_BACK
from components.firewall.boot_shell import KEEP, PLACES, QUIETLY
from components.firewall.controllers_shell import CAUSE, OTHERS, TAKE_OVER, UNSTARTED
from components.firewall.sets_shell import (
    SET_EXITS,
    SETS,
    SETS_BACK,
    SETS_KEEP,
    SETS_LOAD,
    SETS_SAVE,
    SETS_TRY,
    SHOW_SETS,
)
from hosts.system.distro import DISTRO, UNSUPPORTED_EXIT
from hosts.system.files import BOUNDED, FILE_EXITS, RESTORE_FILE, SHOW_FILE, WRITE_FILE, Limit
from hosts.system.origin import ENTRY
from hosts.system.services import SERVICES
from rules.plan.ownership import UNMOVED
from rules.values.family import Family

TOOLS: dict[Family, dict[str, str]] = {
    Family.IPV4: {"ip_family": "ipv4", "tool": "iptables", "database": "ahostsv4", "nft_family": "ip"},
    Family.IPV6: {"ip_family": "ipv6", "tool": "ip6tables", "database": "ahostsv6", "nft_family": "ip6"},
}

ABSENT = 69
REFUSED = 70

# iptables-restore before 1.6.2 cannot wait for the lock, and takes none.
_WAITING = """\
lock_option=
if "$tool-restore" -w 1 --test </dev/null >/dev/null 2>&1; then lock_option="-w $lock_wait"; fi
"""

_BOOT = f"""\
{DISTRO}
known_distro
{SERVICES}
case $tool in
    iptables) boot=$boot_v4 boot_unit=$unit_v4 ;;
    *) boot=$boot_v6 boot_unit=$unit_v6 ;;
esac
"""

OBSERVE = f"""\
{_BOOT}
{SHOW_FILE}
{BOUNDED}
{OTHERS}
{CAUSE}
{ENTRY}
command -v "$tool-save" >/dev/null || exit {ABSENT}
saved=$("$tool-save")
fits {Limit.RULES} "what $tool-save prints" "$saved"
section saved printf '%s\\n' "$saved"
section entry entry
section controller others "$saved"
section other show_other
section cause cause "$saved"
section boot_unit svc_enabled "$boot_unit"
{PLACES}
begin closed
[ ! -f "$boots/$ip_family.closed" ] || cat "$boots/$ip_family.closed"
end
{SHOW_SETS}
section sets show_sets
begin look
! _looks || echo yes
end
begin names
for name in $names; do
    getent "$database" "$name" | while read -r address _; do echo "$name $address"; done
done
end
show_file boot "$boot" {Limit.RULES}
"""

# If the host shows other lines than those the plan was made from, the plan's rule numbers are wrong.
_FRESH = """\
fresh() {
    seen=$("$tool-save" | watched="$watched" awk '
        BEGIN { n = split(ENVIRON["watched"], w, " "); for (i = 1; i <= n; i++) ok[w[i]] = 1 }
        /^\\*/ { table = substr($0, 2) }
        /^:/ && ((table "/" substr($1, 2)) in ok) { print table, $1, $2 }
        /^-A / && ((table "/" $2) in ok) { print table, $0 }')
    [ "$seen" = "$expected" ]
}
fresh || exit 75
"""

# Tried first, so that what iptables does not understand arms nothing; the kernel has its say when it is loaded. What
# fails because somebody changed the rules since they were read is planned anew. Before 1.8.3, iptables over nf_tables
# cannot take a rule out in the transaction that adds it, which is how the transaction checks its rule numbers.
_TRY = f"""\
restore() {{ # TRANSACTION OPTION…
    lines=$1
    shift
    printf '%s\\n' "$lines" | "$tool-restore" "$@" $lock_option 2>&1
}}
tracked=
send() {{ # OPTION…
    [ -n "$transaction" ] || return 0
    ! restore "$transaction" "$@" >/dev/null || return 0
    fresh || {{ untrack; exit 75; }}
    unchecked=$(printf '%s' "$transaction" | sed '/^-N {UNMOVED}$/,/^-X {UNMOVED}$/d')
    errors=$(restore "$unchecked" "$@") || {{
        printf '%s\\n' "$errors" >&2
        line=$(printf '%s' "$errors" | sed -n 's/.*[Ll]ine:* *\\([0-9][0-9]*\\).*/\\1/p' | head -n 1)
        [ -z "$line" ] || printf '%s\\n' "$unchecked" | sed -n "${{line}}s/^/refused: /p" >&2
        exit {REFUSED}
    }}
}}
tracking() {{ # LINES: a transaction about a chain
    printf '*filter\\n%s\\nCOMMIT\\n' "$1" | "$tool-restore" -n $lock_option
}}
untrack() {{
    [ -z "$tracked" ] || tracking "-F $tracked
-X $tracked"
    tracked=
}}
send -n --test
"""
_LOAD = "send --noflush\n"

# Who filters, too, must be known and dealt with, one way or the other, when the plan is made.
_ALONE = f"""\
{OTHERS}
{TAKE_OVER}
[ "$(others "$("$tool-save")")" = "$others_expected" ] || exit 75
"""

# The first rule with a state starts connection tracking, which takes the next packet of an open connection for a new
# one: a default-deny ruleset would end what is open. So tracking starts ahead of the rules, by a chain that nothing
# jumps to, until it knows the open connections. What we print is a packet of our own connection.
_TRACK = """\
uses_states() { grep -Eqe '-m (state|conntrack) '; }
if printf '%s' "$transaction" | uses_states && ! "$tool-save" | uses_states && command -v ss >/dev/null; then
    tracked=STOCKADE-OPEN
    tracking ":$tracked - [0:0]
-A $tracked -m state --state ESTABLISHED"
    case $tool in iptables) ip=4 ;; *) ip=6 ;; esac
    tries=0
    while [ "$tries" -lt 10 ]; do
        open=$(ss -tn"$ip" state established | sed 1d | wc -l)
        known=$(grep -Ec "^ipv$ip .*ESTABLISHED" /proc/net/nf_conntrack 2>/dev/null || :)
        [ "${known:-0}" -lt "$open" ] || break
        echo "tracking $open open connections"
        tries=$((tries + 1))
        sleep 0.05
    done
fi
"""

APPLY = f"""\
{_BOOT}
{WRITE_FILE}
{_WAITING}
{_ALONE}
if [ -n "$(_first)" ]; then
    arm
    _record
    take_first
fi
{_FRESH}
{PLACES}
{SETS}
{SETS_TRY}
{_TRY}
# What needs room on the disk comes first. Not in the boot file's own place: a reboot must find the old rules there
# until the new ones are confirmed.
if [ -n "$boot_content" ]; then
    trap 'rm -f "$boot.next"; _no_sets' EXIT
    write_file "$boot.next" 640 root root "$boot_content"
fi
arm
_record
{SETS_LOAD}
{_TRACK}
{_LOAD}
untrack
take_rest
start_along || exit {UNSTARTED}
trap - EXIT
"""

RESTORE = f"""\
{_BOOT}
{_WAITING}
{_FRESH}
{_TRY}
arm
{_LOAD}
"""

# A table that does not exist yet is not in the list of all: named, it is printed as it would begin. By way of a
# variable, since iptables-save does not notice a full disk, and printf does.
SAVE = f"""\
saved=$("$tool-save" -c)
for table in $tables; do
    case "
$saved
" in *"
*$table
"*) ;; *) saved="$saved
$("$tool-save" -c -t "$table")" ;; esac
done
printf '%s\\n' "$saved" >"$guard/rules"
printf '%s\\n' "$boot" >"$guard/boot_path"
[ ! -f "$boot" ] || cp -p "$boot" "$guard/boot"
{SETS_SAVE}
"""

BACK = f"""\
{_WAITING}
{PLACES}
boot=$(cat "$guard/boot_path")
[ "$occasion" = boot ] || "$tool-restore" -c $lock_option <"$guard/rules"
rm -f "$boot.next"
if [ ! -f "$guard/boot" ]; then
    rm -f "$boot"
elif [ "$(cat "$guard/boot")" != "$(cat "$boot" 2>/dev/null)" ]; then # a full disk is no hindrance where it is the same
    cp -p "$guard/boot" "$boot.next"
    mv -f "$boot.next" "$boot"
fi
{SETS}
{SETS_BACK}
{BOOT_BACK}
"""

BACK_WITH_OTHERS = f"""\
{SERVICES}
{OTHERS}
{TAKE_OVER}
{BACK}
give_back
"""

COMMIT = f"""\
{_BOOT}
{RESTORE_FILE}
{PLACES}
{KEEP}
{QUIETLY}
{SETS}
{SETS_KEEP}
own_sets
if [ -n "$persistent" ]; then
    if [ -f "$boot.next" ]; then
        svc_on "$boot_unit"
        keep_boot "$boot.next"
        mv -f "$boot.next" "$boot"
    fi
    kept_boot || :
    active_quietly || :
else
    drop_boot
    [ -z "$boot_back" ] || restore_file prior "$boot"
fi
disown_sets $sets_gone || :
"""

RESTORED = f"""\
{_BOOT}
{RESTORE_FILE}
{PLACES}
{KEEP}
{QUIETLY}
for table in $untouched; do
    # the table was not there before; without nft it stays, empty, and lets everything through all the same
    if command -v nft >/dev/null && ! "$tool-save" -t "$table" | grep -Eq '^-A|^:[^ ]+ (DROP|-)'; then
        nft delete table "$nft_family" "$table" 2>/dev/null || :
    fi
done
restore_file prior "$boot"
case $unit_back in
    disabled) svc_off "$boot_unit" ;;
    masked) systemctl -q mask "$boot_unit" ;;
esac
{SETS}
{SETS_KEEP}
disown_sets $set_names
drop_boot
{OTHERS}
{TAKE_OVER}
[ -d "$filters" ] || case $controller in # taken over by an earlier version, which wrote nothing down
    ufw) grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf || ufw --force enable >&2 ;;
    firewalld) svc_enable firewalld >&2 ;;
esac
give_back
"""

EXITS = {
    **SET_EXITS,
    **FILE_EXITS,
    **UNSUPPORTED_EXIT,
    ABSENT: "iptables is not installed on the host",
    UNSTARTED: "what ended along with another firewall program does not start again",
    REFUSED: "the host refused a rule; nothing was loaded",
}

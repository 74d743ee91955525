"""The sh that keeps on the host what `components/firewall/boot_look.py` needs at boot, and takes it away again.

Values: ip_family, own_chains (`table/chain` of what is declared), preserved (interfaces of others, a regular
expression), doors, forward, neighbours (`rules/analysis/doors.py`); of the scripts around it tool, boot, boot_unit,
nft_family.
"""

from components.firewall.boot_look import (
    BOOTS,
    CLOSED,
    CLOSED_FORWARD,
    LOOK,
    NFT_TABLE,
    SCRIPT,
    SECOND_UNIT,
    SETS_UNIT,
    UNIT,
    debian_script,
)
from hosts.shell import quote

# A change of what is kept takes two renames: FAMILY.next is whole from the first on; a boot in between takes either.
PLACES = f"""\
boots={BOOTS}
_boot_units=/etc/systemd/system
_boot_levels=/etc/rc.d
_alone() {{ # COMMAND…: the other family's change may come to its end at the same time
    mkdir -p -m 700 /run/stockade
    (
        flock 7
        "$@"
    ) 7>/run/stockade/boot
}}
_looks() {{ # whether somebody will look at the next boot
    for _boot_name in "$_boot_units/multi-user.target.wants/stockade-firewall.service" \
        "$_boot_levels/rc3.d/S09stockade-firewall" /etc/rcS.d/S??stockade-firewall; do
        if [ -L "$_boot_name" ] && [ -f "$boots/look" ] && [ -f "$boots/$ip_family/about" ]; then return 0; fi
    done
    return 1
}}
_no_look_at_boot() {{ # unless the other family still needs it
    [ -d "$boots" ] || return 0
    for _boot_name in "$boots"/ipv?*; do [ ! -e "$_boot_name" ] || return 0; done
    rm -rf "$boots"
    for _boot_name in stockade-sets stockade-firewall stockade-firewall-again; do
        rm -f "$_boot_units/$_boot_name.service" "$_boot_units/multi-user.target.wants/$_boot_name.service"
        rm -f "$_boot_levels/init.d/$_boot_name" "$_boot_levels"/rc?.d/S??"$_boot_name"
        if [ -f "/etc/init.d/$_boot_name" ]; then
            rm -f "/etc/init.d/$_boot_name" /etc/rc?.d/S??"$_boot_name"
            [ ! -x /sbin/insserv ] || flock /run/stockade/rc update-rc.d "$_boot_name" remove >&2 || :
        fi
    done
    rmdir /var/lib/stockade 2>/dev/null || :
}}
_unfinished() {{ rm -rf "$boots/$ip_family.new" "$boots/$ip_family.next"; }}
"""

# What is in force now is what is expected at boot, in the kernel's own words; unless somebody added to it meanwhile.
KEEP = f"""\
_put_file() {{ # PATH MODE TEXT
    ( umask 022; printf '%s' "$3" >"$1.$$"; chmod "$2" "$1.$$" )
    mv -f "$1.$$" "$1"
}}
_rc_script() {{ # NAME TEXT LINK…: the links are those of a host without insserv
    _put_file "/etc/init.d/$1" 755 "$2"
    if [ -x /sbin/insserv ] && [ ! -e /etc/init.d/.legacy-bootordering ]; then
        flock /run/stockade/rc update-rc.d "$1" defaults >&2
        return
    fi
    _rc_name=$1
    shift 2
    for _rc_link in "$@"; do ln -sf "../init.d/$_rc_name" "/etc/$_rc_link$_rc_name"; done
}}
_look_at_boot() {{
    _put_file "$boots/look" 700 {quote(LOOK)}
    if [ -d /run/systemd/system ]; then
        mkdir -p "$_boot_units/multi-user.target.wants"
        _put_file "$_boot_units/stockade-sets.service" 644 {quote(SETS_UNIT)}
        _put_file "$_boot_units/stockade-firewall.service" 644 {quote(UNIT)}
        _put_file "$_boot_units/stockade-firewall-again.service" 644 {quote(SECOND_UNIT)}
        for _boot_name in stockade-sets stockade-firewall stockade-firewall-again; do
            ln -sf "$_boot_units/$_boot_name.service" "$_boot_units/multi-user.target.wants/$_boot_name.service"
        done
    elif [ -d "$_boot_levels/rc3.d" ]; then
        _put_file "$_boot_levels/init.d/stockade-firewall" 755 {quote(SCRIPT)}
        for _boot_name in 2 3 4 5; do
            for _boot_place in S07 S09 S99; do
                ln -sf ../init.d/stockade-firewall "$_boot_levels/rc$_boot_name.d/${{_boot_place}}stockade-firewall"
            done
        done
    elif [ -d /etc/rcS.d ]; then
        _rc_script stockade-sets {quote(debian_script("sets"))} rcS.d/S36
        _rc_script stockade-firewall {quote(debian_script("first"))} rcS.d/S38
        _rc_script stockade-firewall-again {quote(debian_script("second"))} rc2.d/S99 rc3.d/S99 rc4.d/S99 rc5.d/S99
    fi
    sync "$boots/look" 2>/dev/null || :
}}
_own_lines() {{ # iptables-save's lines of our chains, less those that are about others' chains and interfaces
    own="$own_chains" preserved="$preserved" awk '
        BEGIN {{
            preserved = ENVIRON["preserved"]
            n = split(ENVIRON["own"], w, " ")
            for (i = 1; i <= n; i++) ours[w[i]] = 1
        }}
        /^\\*/ {{ table = substr($0, 2) }}
        /^:/ {{
            if ($2 == "-") user[table "/" substr($1, 2)] = 1
            if ((table "/" substr($1, 2)) in ours) print table, $1, $2
        }}
        /^-A / && ((table "/" $2) in ours) {{
            target = ""
            about = 0
            for (i = 3; i < NF; i++) {{
                if ($i == "-j" || $i == "-g") target = table "/" $(i + 1)
                if (($i == "-i" || $i == "-o") && preserved != "" && $(i + 1) ~ ("^(" preserved ")$")) about = 1
            }}
            if ((target in user) && !(target in ours)) next
            if (about && (table == "nat" || table == "mangle" || (table == "filter" && $2 == "FORWARD"))) next
            print table, $0
        }}'
}}
keep_boot() {{ # NEW-BOOT-FILE
    mkdir -p "$boots"
    _unfinished
    if [ -z "$own_chains$sets" ]; then return 0; fi
    mkdir -p "$boots/$ip_family.new"
    printf '%s\\n' "$sets" >"$boots/$ip_family.new/sets"
    [ -z "$own_chains" ] || _expected "$1" # else nothing is closed, so nothing can be open
    sync "$boots/$ip_family.new"/* 2>/dev/null || :
    _alone _look_at_boot
    mv "$boots/$ip_family.new" "$boots/$ip_family.next"
}}
_expected() {{ # NEW-BOOT-FILE
    "$tool-save" | _own_lines >"$boots/$ip_family.new/expected"
    "$tool" --version >"$boots/$ip_family.new/version" 2>/dev/null || :
    if [ "$(wc -l <"$boots/$ip_family.new/expected")" -ne "$(_own_lines <"$1" | wc -l)" ]; then
        _own_lines <"$1" >"$boots/$ip_family.new/expected"
        echo another >"$boots/$ip_family.new/version"
    fi
    printf '%s' "$doors" >"$boots/$ip_family.new/doors"
    printf "%s='%s'\\n" tool "$tool" boot "$boot" unit "$boot_unit" forward "$forward" neighbours "$neighbours" \\
        >"$boots/$ip_family.new/about"
}}
kept_boot() {{ # after the boot file is in its place; nothing in here may undo the change
    if [ -d "$boots/$ip_family.next" ]; then
        rm -rf "$boots/$ip_family.old"
        [ ! -d "$boots/$ip_family" ] || mv "$boots/$ip_family" "$boots/$ip_family.old"
        mv "$boots/$ip_family.next" "$boots/$ip_family"
        rm -rf "$boots/$ip_family.old"
    fi
    opened
}}
opened() {{ # what closed the host at boot is over; the chains of it went with the transaction
    rm -f "$boots/$ip_family.closed"
    ! command -v nft >/dev/null || nft delete table "$nft_family" {NFT_TABLE} 2>/dev/null || :
    for _other in "$tool-nft" "$tool-legacy"; do # where the tool of that name was not to be had then
        for _chain in INPUT:{CLOSED} FORWARD:{CLOSED_FORWARD}; do
            _lines="-A ${{_chain%:*}} -j ${{_chain#*:}}"
            "$_other-save" 2>/dev/null | grep -q -e "^$_lines\\$" || continue
            printf '*filter\n-D%s\n-F %s\n-X %s\nCOMMIT\n' "${{_lines#-A}}" "${{_chain#*:}}" "${{_chain#*:}}" |
                "$_other-restore" -n || :
        done
    done
}}
drop_boot() {{
    opened
    inactive_quietly
    _unfinished
    rm -rf "$boots/$ip_family" "$boots/$ip_family.old"
    _alone _no_look_at_boot
}}
"""

BACK = """\
if [ -d "$boots" ]; then
    _unfinished
    _alone _no_look_at_boot
fi
"""

# iptables.service and its like: what they run on start would replace everything, others' chains too, and what they run
# on stop flushes. So systemd is told that they are up, or down, while what they run is nothing.
QUIETLY = """\
_in_word_alone() { # start|stop UNIT
    _quiet=/run/systemd/system/$2.service.d
    mkdir -p "$_quiet"
    {
        echo '[Service]'
        printf '%s=\\n' ExecStartPre ExecStart ExecStartPost ExecStop ExecStopPost
        echo 'ExecStart=/bin/true'
    } >"$_quiet/stockade.conf"
    systemctl daemon-reload
    _quiet_status=0
    systemctl "$1" "$2.service" >&2 || _quiet_status=$?
    rm -f "$_quiet/stockade.conf"
    rmdir "$_quiet" 2>/dev/null || :
    systemctl daemon-reload
    return "$_quiet_status"
}
active_quietly() {
    if [ -d /run/systemd/system ]; then
        if svc_active "$boot_unit" || ! systemctl cat "$boot_unit.service" >/dev/null 2>&1; then return 0; fi
        _alone _in_word_alone start "$boot_unit" || return 0
    elif [ -d /var/lock/subsys ] && [ -x "/etc/rc.d/init.d/$boot_unit" ]; then
        [ ! -e "/var/lock/subsys/$boot_unit" ] || return 0
        : >"/var/lock/subsys/$boot_unit"
    else
        return 0
    fi
    : >"$boots/$ip_family.started"
}
inactive_quietly() { # where it was we who started it
    [ -f "$boots/$ip_family.started" ] || return 0
    if [ -d /run/systemd/system ]; then
        ! svc_active "$boot_unit" || _alone _in_word_alone stop "$boot_unit" || :
    else
        rm -f "/var/lock/subsys/$boot_unit"
    fi
    rm -f "$boots/$ip_family.started"
}
"""

"""The sh about who else filters on a host: found, taken over, given back (`components/firewall/controllers.py`).

Values: tool, nft_family (see `ruleset_shell.py`); programs (services that load rules of their own), kept_tables
(patterns of nftables' tables, a line each, that are left where they are); for a change take (lines of `others`, those
that are taken over) and other_transaction, other_back (for the other iptables' restore: its rules away, and back).

What was taken over is written down in /var/lib/stockade/filters/TOOL until it is given back:

    programs    name, enabled, active
    tables      a file for nft(8)
    other       input for the other iptables' restore
    along       units that ended with a program that was stopped, and are to run again
"""

RECORDS = "/var/lib/stockade/filters"
UNSTARTED = 72
"""Exit status: what ended along with another firewall program does not start again."""

# Those of which nothing is active or will be at the next boot are left out. The lines:
#
#     ufw | ufw-left (its chains, and no ufw any more)
#     NAME ENABLED ACTIVE [flush] (with `flush`, a program that empties everybody's rules first)
#     table FAMILY NAME (of nftables, that drops or rejects something)
#     beside FAMILY NAME (such a table of those that are left)
#     other VARIANT CHECKSUM (rules of iptables-legacy beside iptables-nft, or the other way round)
OTHERS = r"""
case $tool in iptables) _ip=ip ;; *) _ip=ip6 ;; esac
others() { # SAVED
    if [ -f /etc/ufw/ufw.conf ] && grep -q '^ENABLED=yes' /etc/ufw/ufw.conf; then
        echo ufw
    elif ! command -v ufw >/dev/null; then
        case "
$1" in *"
:ufw-before-input "* | *"
:ufw6-before-input "*) echo ufw-left ;; esac
    fi
    _programs
    _tables "$1"
    _other
}
_programs() {
    set --
    for _program in $programs; do
        for _unit in /etc/systemd/system /run/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
            [ ! -e "$_unit/$_program.service" ] || { set -- "$@" "$_program"; continue 2; }
        done
        [ ! -x "/etc/init.d/$_program" ] || set -- "$@" "$_program"
    done
    [ $# -gt 0 ] || return 0
    _states=$(svc_state "$@")
    echo "$_states" | while read -r _program _enabled _active; do
        case $_enabled:$_active in
            enabled:* | enabled-runtime:* | generated:* | *:active | *:activating | *:reloading) ;;
            *) continue ;;
        esac
        [ "$_program" != firewalld ] || [ -d /etc/firewalld ] || continue
        _flush=
        if [ "$_program" = nftables ] && grep -Eqs '^[[:space:]]*flush[[:space:]]+ruleset' \
            /etc/nftables.conf /etc/sysconfig/nftables.conf /etc/nftables/*.nft /etc/nftables.d/*; then
            _flush=flush
        fi
        echo "$_program $_enabled $_active${_flush:+ $_flush}"
    done
}
_tables() { # SAVED
    command -v nft >/dev/null || return 0
    case $1 in *"is incompatible, use 'nft' tool"*) _clash=yes ;; *) _clash= ;; esac
    nft list tables 2>/dev/null | while read -r _word _family _table; do
        case $_family in inet | netdev | "$nft_family") ;; *) continue ;; esac
        case $_clash:$_family:$_table in
            :ip:filter | :ip:nat | :ip:mangle | :ip:raw | :ip:security) continue ;;
            :ip6:filter | :ip6:nat | :ip6:mangle | :ip6:raw | :ip6:security) continue ;;
        esac
        _text=$(nft -t list table "$_family" "$_table" 2>/dev/null || nft list table "$_family" "$_table") || continue
        printf '%s\n' "$_text" | grep -Eq 'type filter hook' || continue
        printf '%s\n' "$_text" | grep -Eq '(^|[ {:])(drop|reject)([ ;},]|$)' || continue
        [ -z "$_clash" ] || ! printf '%s\n' "$_text" | grep -Eq 'chain [A-Z]+ \{' || continue # it is iptables' own
        if _kept "$_family $_table"; then echo "beside $_family $_table"; else echo "table $_family $_table"; fi
    done
}
_kept() ( # TABLE
    IFS='
'
    set -f
    for _pattern in $kept_tables; do
        case $1 in $_pattern) exit 0 ;; esac
    done
    exit 1
)
_variant() { # sets other_tool, the other of iptables' two; nothing where there is only one
    other_tool=
    case $("$tool" -V 2>/dev/null) in
        *nf_tables*)
            # asked for its tables, iptables-legacy makes them; the kernel tells which are there
            if read -r _name 2>/dev/null <"/proc/net/${_ip}_tables_names"; then other_tool=$tool-legacy; fi ;;
        *legacy*) other_tool=$tool-nft ;;
    esac
    [ -z "$other_tool" ] || command -v "$other_tool-save" >/dev/null || other_tool=
}
_other() {
    _variant
    [ -n "$other_tool" ] || return 0
    _rules=$("$other_tool-save" 2>/dev/null | sed -e '/^#/d' -e 's/ \[[0-9]*:[0-9]*\]$//')
    case $_rules in *'
-A '* | *' DROP'*) echo "other ${other_tool#"$tool"-} $(printf '%s' "$_rules" | cksum | tr ' ' -)" ;; esac
}
show_other() {
    _variant
    [ -z "$other_tool" ] || "$other_tool-save" 2>/dev/null || :
}
"""

# A unit that is PartOf= another one ends with it, and nobody starts it again: fail2ban with firewalld. Tables of
# nftables and the other iptables' rules go when ours are there, but for a table that has the place of ours.
TAKE_OVER = r"""
filters=@RECORDS@/$tool
_along() { # UNIT: those that run, and end with it
    [ -d /run/systemd/system ] || return 0
    for _unit in $(systemctl show -p ConsistsOf "$1" 2>/dev/null | sed 's/^[^=]*=//'); do
        ! systemctl -q is-active "$_unit" || echo "$_unit"
    done
}
_quietly() { # start | stop: nftables.service, without what it does: stopping flushes everybody's rules, starting too
    mkdir -p /run/systemd/system/nftables.service.d
    printf '[Service]\nExecStart=\nExecStart=/bin/true\nExecStop=\n' \
        >/run/systemd/system/nftables.service.d/stockade.conf
    systemctl daemon-reload
    _done=0
    systemctl "$1" nftables.service || _done=$?
    rm -f /run/systemd/system/nftables.service.d/stockade.conf
    rmdir /run/systemd/system/nftables.service.d 2>/dev/null || :
    systemctl daemon-reload
    return "$_done"
}
_nft_table() { # FAMILY NAME: everything about a table, to be loaded again
    nft -s list table "$1" "$2" 2>/dev/null || nft list table "$1" "$2"
}
_record() { # may be run twice
    [ -n "$take" ] || return 0
    mkdir -p -m 700 "$filters"
    : >>"$filters/along"
    printf '%s\n' "$take" | while read -r _kind _one _two _rest; do
        case $_kind in
            '' | ufw-left) ;;
            table)
                grep -qs "^table $_one $_two {" "$filters/tables" || _nft_table "$_one" "$_two" >>"$filters/tables" ;;
            other) printf '%s\n' "$other_back" >"$filters/other" ;;
            *)
                echo "$_kind $_one $_two" >>"$filters/programs"
                [ "$_kind" = ufw ] || _along "$_kind" >>"$filters/along" ;;
        esac
    done
    sync "$filters"/* "$filters" 2>/dev/null || :
}
_stop() { # PROGRAM: it may undo or narrow what we are about to load
    case $1 in
        ufw) ufw disable >&2 ;;
        ufw-left)
            "$tool-save" -c | sed -e '/^:ufw6*-/d' -e '/ -[Aj] ufw6*-/d' \
                -e 's/^\(:[A-Z]* \)DROP /\1ACCEPT /' | "$tool-restore" -c $lock_option ;;
        nftables)
            svc_off nftables || :
            _quietly stop
            systemctl -q mask nftables >&2 2>/dev/null || : ;; # what is in /etc itself cannot be masked
        *)
            svc_disable "$1" >&2
            [ ! -d /run/systemd/system ] || systemctl -q mask "$1" >&2 2>/dev/null || : ;;
    esac
}
_first() { printf '%s\n' "$take" | family="$nft_family" awk 'BEGIN { family = ENVIRON["family"] }
    $1 != "table" && $1 != "other" { print }
    $1 == "table" && $2 == family && $3 ~ /^(filter|nat|mangle|raw|security)$/ { print }'; }
take_first() { # those that change iptables' rules, or may: the plan is made anew then
    _first | while read -r _kind _family _table; do
        case $_kind in
            table) nft delete table "$_family" "$_table" ;;
            *) _stop "$_kind" </dev/null ;;
        esac
    done
    exit 75
}
take_rest() {
    printf '%s\n' "$take" | while read -r _kind _family _table; do
        [ "$_kind" = table ] || continue
        ! nft list table "$_family" "$_table" >/dev/null 2>&1 || nft delete table "$_family" "$_table"
    done
    case "
$take" in *"
other "*)
        _variant
        printf '%s\n' "$other_transaction" | "$other_tool-restore" --noflush $lock_option >&2 ;;
    esac
}
start_along() {
    [ -s "$filters/along" ] || return 0
    for _unit in $(sort -u "$filters/along"); do
        systemctl reset-failed "$_unit" 2>/dev/null || :
        if ! systemctl start "$_unit" >&2 || ! systemctl -q is-active "$_unit"; then
            echo "it is $_unit" >&2
            return 1
        fi
    done
    : >"$filters/along"
}
give_back() { # may be run twice; at boot, what is loaded is still to come, and nothing can be waited for
    [ -d "$filters" ] || return 0
    _block=
    [ "${occasion:-}" != boot ] || _block=--no-block
    if [ -s "$filters/tables" ] && [ -z "$_block" ]; then
        # what such a table is now is not what it was
        awk '/^table /{ print "add", $1, $2, $3; print "delete", $1, $2, $3 }' "$filters/tables" >"$filters/load"
        cat "$filters/tables" >>"$filters/load"
        nft -f "$filters/load"
    fi
    if [ -s "$filters/other" ] && [ -z "$_block" ]; then
        _variant
        : "${other_tool:=$tool-legacy}"
        "$other_tool-restore" --noflush <"$filters/other" >&2
    fi
    if [ -s "$filters/programs" ]; then
        while read -r _name _enabled _active; do
            case $_name in
                ufw) ! command -v ufw >/dev/null || ufw --force enable >&2 </dev/null ;;
                nftables)
                    systemctl -q unmask nftables
                    case $_enabled in enabled) systemctl -q enable nftables ;; esac
                    if [ "$_active" != active ] || svc_active nftables; then :
                    elif [ -n "$_block" ]; then systemctl "$_block" start nftables
                    else _quietly start; fi </dev/null ;;
                *)
                    [ ! -d /run/systemd/system ] || systemctl -q unmask "$_name" || :
                    if [ -z "$_block" ]; then svc_restore "$_name" "$_enabled" "$_active"
                    else
                        [ "$_enabled" != enabled ] || svc_on "$_name"
                        [ "$_active" != active ] || systemctl "$_block" start "$_name"
                    fi </dev/null >&2 ;;
            esac
        done <"$filters/programs"
    fi
    [ -n "$_block" ] || start_along || :
    rm -rf "$filters"
    rmdir @RECORDS@ 2>/dev/null || :
}
""".replace("@RECORDS@", RECORDS).replace("@UNSTARTED@", str(UNSTARTED))

# Who emptied the rules. The boot file was written when they were loaded last: what started since may have done it, and
# whose unit says that it loads or flushes rules most of all.
CAUSE = r"""
cause() { # SAVED: `emptied`, then `RANK UNIT TIME` of what started or stopped since; nothing where our rules are there
    ! printf '%s\n' "$1" | grep -Eq '^-A INPUT .*-j (ACCEPT|DROP|REJECT)' || return 0
    grep -qs '^# Written by Stockade' "$boot" && grep -qs '^-A INPUT' "$boot" || return 0
    echo emptied
    [ -d /run/systemd/system ] && _loaded=$(stat -c %Y "$boot" 2>/dev/null) || return 0
    TZ=UTC systemctl show -p Id -p ExecStart -p ExecReload -p StateChangeTimestamp '*.service' 2>/dev/null |
        own="$boot_unit.service" awk 'BEGIN { own = ENVIRON["own"] }
        function told() {
            if (id != "" && time != "" && id != own && id !~ /^(systemd-|user|session|ssh|sshd|getty|stockade|run-)/)
                print (exec ~ /(nft|ip6?tables|netfilter|firewall|ufw)/ ? 1 : 2), id, time
        }
        /^Id=/ { id = substr($0, 4) }
        /^Exec(Start|Reload)=/ { exec = exec $0 }
        /^StateChangeTimestamp=./ { time = substr($0, 22) }
        /^$/ { told(); id = time = exec = "" }
        END { told() }' | while read -r _rank _unit _time; do
        [ "$(date -d "$_time" +%s 2>/dev/null || echo 0)" -ge "$_loaded" ] || continue
        echo "$_rank $_unit $(date -u -d "$_time" +%Y-%m-%dT%H:%M:%SZ)"
    done | sort | head -n 5
}
"""

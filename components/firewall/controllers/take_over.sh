# Other firewalls: recorded, stopped, restored.
#
# record_taken    records what is about to be taken over; may be run twice
# first_taken     prints those whose stopping changes, or may change, iptables' rules
# take_first      stops these and ends the script, because the plan must be redone
# take_rest       removes the nftables tables and the other iptables' rules, once ours are in force
# start_along     starts the units that ended together with a stopped program
# give_back       restores all of it; may be run twice
#
# Recorded in /var/lib/stockade/filters/TOOL until restored:
#
#     programs    name, enabled, active
#     tables      a file for nft(8)
#     other       input for the other iptables' restore
#     along       units that ended together with a stopped program and must run again
#
# take: the lines of `others` to take over. other_transaction, other_back: the transactions that remove and restore the
# other iptables' rules. Exits: 75 (STALE), the host must be observed again.
# uses: hosts/system/services.sh components/firewall/controllers/find.sh components/firewall/in_name_only.sh
# takes: tool nft_family take other_transaction other_back lock_wait occasion

filters=/var/lib/stockade/filters/$tool
_along() { # UNIT: running units that end with it
    [ -d /run/systemd/system ] || return 0
    for _unit in $(systemctl show -p ConsistsOf "$1" 2>/dev/null | sed 's/^[^=]*=//'); do
        ! systemctl -q is-active "$_unit" || echo "$_unit"
    done
}
_nft_table() { # FAMILY NAME: prints the whole table in loadable form
    nft -s list table "$1" "$2" 2>/dev/null || nft list table "$1" "$2"
}
record_taken() {
    [ -n "$take" ] || return 0
    mkdir -p "$filters"
    : >>"$filters/along"
    printf '%s\n' "$take" | while read -r _kind _one _two _rest; do
        case $_kind in
            '' | ufw-left) ;;
            table)
                grep -qs "^table $_one $_two {" "$filters/tables" || _nft_table "$_one" "$_two" >>"$filters/tables"
                ;;
            other) printf '%s\n' "$other_back" >"$filters/other" ;;
            *)
                echo "$_kind $_one $_two" >>"$filters/programs"
                [ "$_kind" = ufw ] || _along "$_kind" >>"$filters/along"
                ;;
        esac
    done
    sync "$filters"/* "$filters" 2>/dev/null || :
}
_stop() { # PROGRAM: it might undo or restrict what we are about to load
    case $1 in
        ufw) ufw disable >&2 ;;
        ufw-left)
            "$tool-save" -c | sed -e '/^:ufw6*-/d' -e '/ -[Aj] ufw6*-/d' \
                -e 's/^\(:[A-Z]* \)DROP /\1ACCEPT /' | "$tool-restore" -c ${lock_wait:+-w "$lock_wait"}
            ;;
        nftables)
            svc_off nftables || :
            in_name_only stop nftables
            systemctl -q mask nftables >&2 2>/dev/null || :
            ;; # a unit file in /etc cannot be masked
        *)
            svc_disable "$1" >&2
            [ ! -d /run/systemd/system ] || systemctl -q mask "$1" >&2 2>/dev/null || :
            ;;
    esac
}
first_taken() { printf '%s\n' "$take" | family="$nft_family" awk 'BEGIN { family = ENVIRON["family"] }
    $1 != "table" && $1 != "other" { print }
    $1 == "table" && $2 == family && $3 ~ /^(filter|nat|mangle|raw|security)$/ { print }'; }
take_first() { # those that change, or may change, iptables' rules: the plan is redone afterwards
    first_taken | while read -r _kind _family _table; do
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
        find_variant
        printf '%s\n' "$other_transaction" | "$other_tool-restore" --noflush ${lock_wait:+-w "$lock_wait"} >&2
        ;;
    esac
}
start_along() {
    [ -s "$filters/along" ] || return 0
    # shellcheck disable=SC2013 # words
    for _unit in $(sort -u "$filters/along"); do
        systemctl reset-failed "$_unit" 2>/dev/null || :
        if ! systemctl start "$_unit" >&2 || ! systemctl -q is-active "$_unit"; then
            echo "it is $_unit" >&2
            return 1
        fi
    done
    : >"$filters/along"
}
give_back() { # at boot, units are still to be started, and nothing can be waited for
    [ -d "$filters" ] || return 0
    _block=
    [ "${occasion:-}" != boot ] || _block=--no-block
    if [ -s "$filters/tables" ] && [ -z "$_block" ]; then
        # the table may have changed since
        awk '/^table /{ print "add", $1, $2, $3; print "delete", $1, $2, $3 }' "$filters/tables" >"$filters/load"
        cat "$filters/tables" >>"$filters/load"
        nft -f "$filters/load"
    fi
    if [ -s "$filters/other" ] && [ -z "$_block" ]; then
        find_variant
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
                    if [ "$_active" != active ] || svc_active nftables; then
                        :
                    elif [ -n "$_block" ]; then
                        systemctl "$_block" start nftables
                    else in_name_only start nftables; fi </dev/null
                    ;;
                *)
                    [ ! -d /run/systemd/system ] || systemctl -q unmask "$_name" || :
                    if [ -z "$_block" ]; then
                        svc_restore "$_name" "$_enabled" "$_active"
                    else
                        [ "$_enabled" != enabled ] || svc_on "$_name"
                        [ "$_active" != active ] || systemctl "$_block" start "$_name"
                    fi </dev/null >&2
                    ;;
            esac
        done <"$filters/programs"
    fi
    [ -n "$_block" ] || start_along || :
    rm -rf "$filters"
    rmdir /var/lib/stockade/filters 2>/dev/null || :
}

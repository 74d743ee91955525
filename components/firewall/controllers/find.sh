# Other firewalls on a host (components/firewall/controllers/others.py).
#
# others SAVED    prints a line for each program, table and other iptables that filters now, or will at the next boot:
#
#     ufw | ufw-left (its chains remain, but ufw is gone)
#     NAME ENABLED ACTIVE [flush] (`flush`: the program first empties everybody's rules)
#     table FAMILY NAME (an nftables table that drops or rejects something)
#     beside FAMILY NAME (such a table that is left in place)
#     other VARIANT CHECKSUM (rules of iptables-legacy beside iptables-nft, or vice versa)
#     native FAMILY TABLE rule|chain CHAIN TEXT (what iptables cannot print: natives.sh)
#
# show_other      prints the rules of the other iptables
# find_variant    sets other_tool, the other of the two iptables variants; empty if there is only one
#
# programs: services that load rules of their own. kept_tables: patterns of nftables tables, one per line.
# uses: hosts/system/services.sh components/firewall/controllers/natives.sh
# takes: tool nft_family programs kept_tables

unset other_tool
case $tool in iptables) _ip=ip ;; *) _ip=ip6 ;; esac
others() { # SAVED
    find_version
    if [ -f /etc/ufw/ufw.conf ] && grep -q '^ENABLED=yes' /etc/ufw/ufw.conf; then
        echo ufw
    elif ! command -v ufw >/dev/null; then
        case "
$1" in *"
:ufw-before-input "* | *"
:ufw6-before-input "*) echo ufw-left ;; esac
    fi
    _programs
    _whole=$(_tables "$1")
    [ -z "$_whole" ] || printf '%s\n' "$_whole"
    native_lines "$1" | family="$nft_family" whole="$_whole" awk '
        BEGIN { FS = "\t"; family = ENVIRON["family"]; whole = ENVIRON["whole"] "\n" }
        index(whole, "table " family " " $1 "\n") { next } # nft has all of it
        NF == 1 { print "native", family, $1 }
        NF > 1 && NR <= 100 { print "native", family, $1, $2, $3, substr($6, 1, 300) }'
    _other
}
_programs() {
    set --
    for _program in $programs; do
        for _unit in /etc/systemd/system /run/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
            [ ! -e "$_unit/$_program.service" ] || {
                set -- "$@" "$_program"
                continue 2
            }
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
    case $1 in *"use 'nft' tool"*) _clash=yes ;; *) _clash= ;; esac
    nft list tables 2>/dev/null | while read -r _word _family _table; do
        case $_family in inet | netdev | "$nft_family") ;; *) continue ;; esac
        case $_clash:$_family:$_table in
            :ip:filter | :ip:nat | :ip:mangle | :ip:raw | :ip:security) continue ;;
            :ip6:filter | :ip6:nat | :ip6:mangle | :ip6:raw | :ip6:security) continue ;;
        esac
        _text=$(nft -t list table "$_family" "$_table" 2>/dev/null || nft list table "$_family" "$_table") || continue
        printf '%s\n' "$_text" | grep -Eq 'type filter hook' || continue
        printf '%s\n' "$_text" | grep -Eq '(^|[ {:])(drop|reject)([ ;},]|$)' || continue
        [ -z "$_clash" ] || ! printf '%s\n' "$_text" | grep -Eq 'chain [A-Z]+ \{' || continue # it belongs to iptables
        if _kept "$_family $_table"; then echo "beside $_family $_table"; else echo "table $_family $_table"; fi
    done
}
_kept() ( # TABLE
    IFS='
'
    set -f
    for _pattern in $kept_tables; do
        # shellcheck disable=SC2254 # a pattern, on purpose
        case $1 in $_pattern) exit 0 ;; esac
    done
    exit 1
)
find_variant() {
    [ -z "${other_tool+known}" ] || return 0
    other_tool=
    find_version
    case $tool_version in
        *nf_tables*)
            # listing with iptables-legacy creates its tables; the kernel tells which exist
            if read -r _name 2>/dev/null <"/proc/net/${_ip}_tables_names"; then other_tool=$tool-legacy; fi
            ;;
        *legacy*) other_tool=$tool-nft ;;
    esac
    [ -z "$other_tool" ] || command -v "$other_tool-save" >/dev/null || other_tool=
}
_other() {
    find_variant
    [ -n "$other_tool" ] || return 0
    _rules=$("$other_tool-save" 2>/dev/null | sed -e '/^#/d' -e 's/ \[[0-9]*:[0-9]*\]$//')
    case $_rules in *'
-A '* | *' DROP'*) echo "other ${other_tool#"$tool"-} $(printf '%s' "$_rules" | cksum | tr ' ' -)" ;; esac
}
show_other() {
    find_variant
    [ -z "$other_tool" ] || "$other_tool-save" 2>/dev/null || :
}

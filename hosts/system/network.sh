# The host's addresses and routes: they show which packets are for the host itself and which it forwards.
#
# show_network FAMILY    prints the sections addresses, routes and forwards; FAMILY is ipv4 or ipv6. Each is empty if
#                        unknown; routes also if there are thousands.

show_network() { # FAMILY
    begin addresses
    ! command -v ip >/dev/null || ip -o addr 2>/dev/null || :
    end
    begin routes
    if command -v ip >/dev/null; then
        _version=-4
        [ "$1" = ipv4 ] || _version=-6
        _routes=$(ip "$_version" route 2>/dev/null | head -n 2001) || _routes=
        # other tables may route packets differently
        ! ip "$_version" rule 2>/dev/null | grep -qv 'from all lookup \(local\|main\|default\) *$' || _routes=
        [ "$(printf '%s\n' "$_routes" | wc -l)" -gt 2000 ] || printf '%s\n' "$_routes"
    fi
    end
    begin forwards
    case $1 in
        ipv4) cat /proc/sys/net/ipv4/conf/*/forwarding 2>/dev/null | sort -n | tail -n 1 ;; # one forwarding interface is enough
        *) cat /proc/sys/net/ipv6/conf/all/forwarding 2>/dev/null || : ;;
    esac
    end
}

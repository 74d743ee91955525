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
        # other tables may route packets differently
        ip "$_version" rule 2>/dev/null | grep -qv 'from all lookup \(local\|main\|default\) *$' ||
            ip "$_version" route 2>/dev/null |
            awk 'NR > 2000 { exit } { rows = rows $0 "\n" } END { if (NR <= 2000) printf "%s", rows }'
    fi
    end
    begin forwards
    case $1 in
        ipv4) # one forwarding interface is enough
            _most=
            for _file in /proc/sys/net/ipv4/conf/*/forwarding; do
                read -r _forwards 2>/dev/null <"$_file" || continue
                case $_most in '' | 0) _most=$_forwards ;; esac
            done
            [ -z "$_most" ] || echo "$_most"
            ;;
        *) cat /proc/sys/net/ipv6/conf/all/forwarding 2>/dev/null || : ;;
    esac
    end
}

# What a host runs at boot: if the rules that Stockade declared are not in force, it is closed except for the way in.
#
# $1 says which check it is. `sets` runs before the rules are loaded and restores the sets that they refer to. `first`
# closes the host before the network is up. `second` runs after all services are started, and closes the host if one of
# them flushed the rules.
#
# In $folder: FAMILY/ with `about` (tool, boot, unit, forward, neighbours), `version` of iptables, `expected` (the rules
# as printed by the kernel), `written` (the same as in the boot file), `own` (our chains, and interfaces that belong to
# others), `doors` (who may come in) and `sets`; FAMILY.next or FAMILY.old during a commit. FAMILY.closed says why it
# was closed, `log` what was found each time.
#
# uses: components/firewall/boot/own_lines.sh
# takes: folder chain forward_chain table

set -u
umask 077
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
icmp_kinds='3 8 11 12'                            # errors and echo requests
neighbour_kinds='1 2 3 4 128 129 133 134 135 136' # errors, echo, and router and neighbour discovery
group_kinds='130 131 132 143'                     # multicast group membership
ip_family='' tool='' boot='' unit='' forward='' neighbours=''
say() {
    line="firewall $ip_family: $(printf '%s' "$1" | tr '\001-\010\012-\037\177' ' ')" # else the journal shows it as a blob
    echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $line" >>"$folder/log"
    logger -t stockade -p auth.warning "$line" 2>/dev/null || :
    [ -d /run/systemd/system ] || echo "stockade: $line" >&2 # syslog is not running yet
}
missing() { # FILE ALIKE: prints what of FILE is not in force; with ALIKE, equal numbers of rules in a chain suffice
    printf '%s\n' "$saved" | file="$1" alike="$2" awk '
        BEGIN {
            file = ENVIRON["file"]
            alike = ENVIRON["alike"]
            while ((getline line < file) > 0) {
                split(line, word, " ")
                if (word[2] ~ /^:/) policy[word[1] "/" substr(word[2], 2)] = word[3]
                else { name = word[1] "/" word[3]; wanted[name, ++many[name]] = line }
            }
        }
        /^\*/ { table = substr($0, 2) }
        /^:/ { name = table "/" substr($1, 2); if (policy[name] != "DROP" || $2 == "DROP") delete policy[name] }
        /^-A / {
            name = table "/" $2
            total[name]++
            if (wanted[name, seen[name] + 1] == table " " $0) seen[name]++
        }
        END {
            for (name in policy) if (policy[name] == "DROP") print "the policy DROP of " name
            for (name in policy) if (policy[name] == "-") print "the chain " name
            for (name in many) {
                if (alike && total[name] >= many[name]) continue
                for (i = seen[name] + 1; i <= many[name]; i++) print wanted[name, i]
            }
        }'
}
edited() { # FOLDER: prints what somebody added to our chains in the boot file
    [ -f "$1/written" ] && [ -f "$boot" ] || return 0
    {
        read -r own_chains
        read -r preserved
    } <"$1/own"
    now=$(_own_lines <"$boot")
    if [ "$("$tool" --version 2>/dev/null)" = "$(cat "$1/version")" ]; then
        # right after loading, the kernel prints lines in another spelling than iptables-save's as they are meant
        if [ "$look" = first ] && grep -qv -e '^[[:space:]]*$' -e '^[#*:]' -e '^COMMIT' -e '^-A [^" ]* ' \
            -e '^\[[0-9]*:[0-9]*\] *-A [^" ]* ' "$boot"; then
            now="$now
$(printf '%s\n' "$saved" | _own_lines)"
        fi
    elif [ "$(printf '%s\n' "$now" | wc -l)" -le "$(wc -l <"$1/written")" ]; then
        return 0
    fi
    printf '%s\n' "$now" | grep . | grep -vxF -f "$1/written" -f "$1/expected"
}
in_force() { # FOLDER; sets lacking, added. Another version of iptables may print the same rules differently
    [ -f "$1/about" ] || return 1
    lacking='' added=$(edited "$1")
    [ -z "$added" ] || return 1
    lacking=$(missing "$1/expected" "")
    [ -n "$lacking" ] || return 0
    [ "$("$tool" --version 2>/dev/null)" != "$(cat "$1/version")" ] && [ -z "$(missing "$1/expected" yes)" ]
}
closed() {
    for save in "$tool-save" "$tool-legacy-save"; do
        ! "$save" 2>/dev/null | grep -q -e "^-A INPUT -j $chain\$" || return 0
    done
    [ -n "$(nft list table "$nft_family" "$table" 2>/dev/null)" ]
}
why() {
    command -v "$tool-restore" >/dev/null || {
        echo "$tool-restore is not there"
        return
    }
    [ -f "$boot" ] || {
        echo "there is no $boot"
        return
    }
    grep -q '^-' "$boot" || {
        echo "$boot has no rules"
        return
    }
    errors=$("$tool-restore" --test <"$boot" 2>&1) || {
        echo "$boot cannot be loaded: $(printf '%s' "$errors" | tr '\n' ' ' | cut -c 1-300)"
        return
    }
    [ -z "$added" ] || {
        echo "$boot has a rule that is not declared: $(printf '%s\n' "$added" | head -n 1)"
        return
    }
    if [ -d /run/systemd/system ]; then
        case $(systemctl is-enabled "$unit" 2>/dev/null) in
            '' | not-found)
                echo "nothing loads $boot: there is no $unit.service"
                return
                ;;
            disabled | masked)
                echo "nothing loads $boot: $unit.service is not enabled"
                return
                ;;
        esac
    elif [ ! -x "/etc/init.d/$unit" ]; then
        echo "nothing loads $boot: there is no /etc/init.d/$unit"
        return
    fi
    echo "$boot can be loaded, but $unit did not, or others took away what it loaded; the first that is missing:" \
        "$(printf '%s\n' "$lacking" | head -n 1)"
}
each_door() { # COMMAND: gets interface and source ("" for any), port and verdict as variables
    while read -r interface port source verdict; do
        [ "$interface" != - ] || interface=
        [ "$source" != - ] || source=
        "$1"
    done <"$doors"
}
door_rule() {
    case $verdict in accept) verdict=ACCEPT ;; *) verdict=DROP ;; esac
    echo "-A $chain ${source:+-s $source }${interface:+-i $interface }-p tcp --dport $port -j $verdict"
}
door_statement() {
    case $verdict in accept) ;; *) verdict=drop ;; esac
    [ -z "$interface" ] || interface=$(echo "$interface" | sed 's/+$/*/')
    echo "${source:+$nft_family saddr $source }${interface:+iifname \"$interface\" }tcp dport $port $verdict;"
}
entries() { # RULES-OF-STATES
    echo "-A $chain -i lo -j ACCEPT"
    if [ -n "$1" ]; then
        echo "-A $chain -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    else
        echo "-A $chain -p tcp ! --syn -j ACCEPT"
    fi
    if [ "$tool" = iptables ]; then
        for kind in $icmp_kinds; do echo "-A $chain -p icmp --icmp-type $kind -j ACCEPT"; done
    elif [ -n "$neighbours" ]; then
        for kind in $neighbour_kinds; do echo "-A $chain -p icmpv6 --icmpv6-type $kind -j ACCEPT"; done
        for kind in $group_kinds; do echo "-A $chain -s fe80::/10 -p icmpv6 --icmpv6-type $kind -j ACCEPT"; done
        echo "-A $chain -s fe80::/10 -p udp --dport 546 -j ACCEPT"
    fi
    each_door door_rule
    if [ -n "$1" ]; then echo "-A $chain -j REJECT"; else echo "-A $chain -j DROP"; fi
}
transaction() { # RULES-OF-STATES
    printf '*filter\n:%s - [0:0]\n' "$chain"
    entries "$1"
    case $saved in *"-A INPUT -j $chain"*) echo "-D INPUT -j $chain" ;; esac
    echo "-I INPUT 1 -j $chain"
    if [ -n "$forward" ]; then
        echo ":$forward_chain - [0:0]"
        if [ -n "$1" ]; then
            echo "-A $forward_chain -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
            echo "-A $forward_chain -j REJECT"
        else
            echo "-A $forward_chain -p tcp ! --syn -j ACCEPT"
            echo "-A $forward_chain -j DROP"
        fi
        case $saved in *"-A FORWARD -j $forward_chain"*) echo "-D FORWARD -j $forward_chain" ;; esac
        echo "-I FORWARD 1 -j $forward_chain"
    fi
    echo COMMIT
}
by_iptables() { # RESTORE
    command -v "$1" >/dev/null || return 1
    transaction yes | "$1" -n || transaction '' | "$1" -n
}
commas() { echo "$1" | sed 's/ /, /g'; }
by_nft() { # if iptables is gone, or the kernel lacks what it needs
    printf 'add table %s %s\ndelete table %s %s\n' "$nft_family" "$table" "$nft_family" "$table"
    echo "table $nft_family $table { chain input { type filter hook input priority -10; policy drop;"
    echo 'iif lo accept; ct state established,related accept;'
    if [ "$nft_family" = ip ]; then
        echo "icmp type { $(commas "$icmp_kinds") } accept;"
    elif [ -n "$neighbours" ]; then
        echo "icmpv6 type { $(commas "$neighbour_kinds") } accept;"
        echo "ip6 saddr fe80::/10 icmpv6 type { $(commas "$group_kinds") } accept;"
        echo 'ip6 saddr fe80::/10 udp dport 546 accept;'
    fi
    each_door door_statement
    echo '}'
    [ -z "$forward" ] || echo 'chain forward { type filter hook forward priority -10; policy drop;
        ct state established,related accept; }'
    echo '}'
}
way_in() { # for messages
    ports=$(sed -n 's/^[^ ]* \([0-9]*\) .* accept$/\1/p' "$doors" | sort -nu | tr '\n' ' ')
    [ -z "$ports" ] || printf ' but for TCP port %s' "$(commas "${ports% }")"
}
close_it() {
    by_iptables "$tool-restore" || by_iptables "$tool-nft-restore" || by_nft | nft -f - ||
        by_iptables "$tool-legacy-restore"
}
look_at() { # FOLDER
    doors=$1/doors
    case $tool in iptables) nft_family=ip ;; *) nft_family=ip6 ;; esac
    saved=$("$tool-save" 2>/dev/null)
    for kept in "$folder/$ip_family" "$folder/$ip_family.next" "$folder/$ip_family.old"; do
        if in_force "$kept" && ! closed; then
            [ ! -f "$folder/$ip_family.closed" ] || say 'the rules are in force now'
            rm -f "$folder/$ip_family.closed"
            return
        fi
    done
    if [ "$look" = second ] && closed; then
        say "is still CLOSED$(way_in): $(cat "$folder/$ip_family.closed" 2>/dev/null)"
        return
    fi
    in_force "$1"
    reason=$(why)
    if errors=$(close_it 2>&1); then
        printf '%s\n' "$reason" >"$folder/$ip_family.closed"
        say "CLOSED$(way_in), because the declared rules are not in force: $reason"
    elif [ -e /proc/net/if_inet6 ] || [ "$tool" = iptables ]; then
        printf '%s; and it is OPEN: %s\n' "$reason" "$errors" >"$folder/$ip_family.closed"
        say "NOT CLOSED, although the declared rules are not in force: $reason; closing failed: $errors"
    fi
}
look=${1:-first}
if [ "$look" = sets ]; then # runs before the rules are loaded
    for file in "$folder"/ipv?.old/sets "$folder"/ipv?/sets "$folder"/ipv?.next/sets; do
        grep -qs . "$file" || continue # without sets, the file has an empty line
        ip_family=${file%/sets}
        ip_family=${ip_family##*/}
        errors=$(ipset -exist restore <"$file" 2>&1) || say "its sets cannot be restored: $errors"
    done
    exit 0
fi
[ "$look" != first ] || rm -f "$folder"/*.closed
for ip_family in ipv4 ipv6; do
    for kept in "$folder/$ip_family" "$folder/$ip_family.next" "$folder/$ip_family.old"; do
        if [ -f "$kept/about" ]; then
            # shellcheck source=/dev/null
            . "$kept/about"
            look_at "$kept"
            break
        fi
    done
done

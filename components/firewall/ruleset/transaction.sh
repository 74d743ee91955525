# The transaction that changes the rules.
#
# plan_holds       whether the lines of the watched chains are those that the plan is based on; if not, its rule numbers
#                  are wrong
# send OPTION...   loads it
# track_open       starts tracking open connections; untrack removes the chain that does so
#
# `send -n --test` comes first, so that nothing is armed for rules that iptables cannot parse; the kernel only checks
# them on loading. If it fails because somebody changed the rules since they were read, the plan is redone. Before
# 1.8.3, iptables over nf_tables cannot delete a rule in the transaction that adds it, which is how the transaction
# checks its rule numbers (STOCKADE-UNMOVED: rules/plan/ownership.py).
#
# The first stateful rule starts connection tracking, which takes the next packet of an open connection for a new one: a
# default-deny ruleset would cut open connections. So tracking starts ahead of the rules, through a chain that nothing
# jumps to, until it has seen the open connections. The lines printed meanwhile are packets of our own connection.
#
# Exits: 70 (REFUSED), 75 (STALE).
# takes: tool lock_wait watched expected transaction

plan_holds() {
    seen=$("$tool-save" | watched="$watched" awk '
        BEGIN { n = split(ENVIRON["watched"], w, " "); for (i = 1; i <= n; i++) ok[w[i]] }
        /^\*/ { table = substr($0, 2) }
        /^:/ && ((table "/" substr($1, 2)) in ok) { print table, $1, $2 }
        /^-A / && ((table "/" $2) in ok) { print table, $0 }')
    [ "$seen" = "$expected" ]
}
tracked=
restore() { # TRANSACTION OPTION…
    lines=$1
    shift
    printf '%s\n' "$lines" | "$tool-restore" "$@" ${lock_wait:+-w "$lock_wait"} 2>&1
}
send() { # OPTION…
    [ -n "$transaction" ] || return 0
    ! restore "$transaction" "$@" >/dev/null || return 0
    plan_holds || {
        untrack
        exit 75
    }
    unchecked=$(printf '%s' "$transaction" | sed '/^-N STOCKADE-UNMOVED$/,/^-X STOCKADE-UNMOVED$/d')
    errors=$(restore "$unchecked" "$@") || {
        printf '%s\n' "$errors" >&2
        line=$(printf '%s' "$errors" | sed -n 's/.*[Ll]ine:* *\([0-9][0-9]*\).*/\1/p' | head -n 1)
        [ -z "$line" ] || printf '%s\n' "$unchecked" | sed -n "${line}s/^/refused: /p" >&2
        exit 70
    }
}
tracking() { # LINES: a transaction about a chain
    printf '*filter\n%s\nCOMMIT\n' "$1" | "$tool-restore" -n ${lock_wait:+-w "$lock_wait"}
}
untrack() {
    [ -z "$tracked" ] || tracking "-F $tracked
-X $tracked"
    tracked=
}
uses_states() { grep -Eqe '-m (state|conntrack) '; }
track_open() {
    if ! printf '%s' "$transaction" | uses_states || "$tool-save" | uses_states || ! command -v ss >/dev/null; then
        return 0
    fi
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
}

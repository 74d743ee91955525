# _own_lines    filters iptables-save output on stdin: keeps the lines of our chains, except those about others' chains
#               and interfaces
# takes: own_chains preserved

_own_lines() {
    own="$own_chains" preserved="$preserved" awk '
        BEGIN {
            preserved = ENVIRON["preserved"]
            n = split(ENVIRON["own"], w, " ")
            for (i = 1; i <= n; i++) ours[w[i]]
        }
        { sub(/^\[[0-9]+:[0-9]+\] */, "") }
        /^\*/ { table = substr($0, 2) }
        /^:/ {
            if ($2 == "-") user[table "/" substr($1, 2)]
            if ((table "/" substr($1, 2)) in ours) print table, $1, $2
        }
        /^-/ && ((table "/" $2) in ours) {
            target = ""
            theirs = 0
            for (i = 3; i < NF; i++) {
                if ($i == "-j" || $i == "-g") target = table "/" $(i + 1)
                if (($i == "-i" || $i == "-o") && preserved != "" && $(i + 1) ~ ("^(" preserved ")$")) theirs = 1
            }
            if ((target in user) && !(target in ours)) next
            if (theirs && (table == "nat" || table == "mangle" || (table == "filter" && $2 == "FORWARD"))) next
            print table, $0
        }'
}

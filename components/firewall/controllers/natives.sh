# What nft has written into iptables' own tables that iptables cannot print, or prints as if it matched more. It would
# hide the rules around it. Only with iptables over nf_tables.
#
# native_lines SAVED    prints for each, tab-separated: table, `rule` or `chain`, chain, handle, index, text. Of a table
#                       that nothing can list, only the table
#
# Rules in which xtables has a part were made by iptables. Of the others, those come first that have an expression
# iptables does not use, or does not print. If there are none in a table that iptables cannot print, then those without a
# counter, which iptables never leaves out; if there are none, all others that jump nowhere.
#
# Before 1.8.8, iptables prints `tcp dport 22 accept` as `-p tcp -j ACCEPT`, and leaves out most of what nft can match.
#
# find_version    sets tool_version, what TOOL -V prints
#
# SAVED: what TOOL-save prints, even if it failed.
# takes: tool nft_family

unset tool_version
NATIVE_OURS='comment "stockade-interim"' # of rules that drop_natives adds
_ODD_WORDS='[@{]| [sd]addr (!= )?[^ ]*-| (id|mtu|gateway|vtag|spi|frag-off) '
_ODD_WORDS="$_ODD_WORDS| (length|checksum|csumcov|sequence|ackseq|window|urgptr|doff) "
find_version() {
    [ -n "${tool_version+known}" ] || tool_version=$("$tool" -V 2>/dev/null) || :
}
_forgets() { # this iptables: most of what it does not know, when it prints rules
    case $tool_version in *' v1.8.'[0-7]' '* | *' v1.'[0-7].*) ;; *) return 1 ;; esac
}
_has_odd() { # TABLE: words for what iptables leaves out
    { nft -t list table "$nft_family" "$1" 2>/dev/null || nft list table "$nft_family" "$1"; } |
        grep -Eq "^		.*($_ODD_WORDS)"
}

_iptables_tables() { # those of iptables' names
    nft list tables "$nft_family" 2>/dev/null | awk '$3 ~ /^(filter|nat|mangle|raw|security)$/ { print $3 }'
}
_is_named() { # SAVED TABLE
    case $1 in *"# Table \`$2' "*"use 'nft' tool"*) ;; *) return 1 ;; esac
}
_is_printed() { # SAVED TABLE: to its end
    printf '%s\n' "$1" | table="$2" awk '
        /^\*/ { now = substr($0, 2) }
        $0 == "COMMIT" && now == ENVIRON["table"] { whole = 1 }
        END { exit !whole }'
}
_native_in() { # TABLE: prints, after how surely it is not iptables' (1 most), what native_lines does
    {
        nft -a -s --debug=netlink list table "$nft_family" "$1" || nft -a --debug=netlink list table "$nft_family" "$1"
    } 2>/dev/null | family="$nft_family" table="$1" forgets="$_forgets" ours="$NATIVE_OURS" awk '
        BEGIN {
            OFS = "\t"
            forgets = ENVIRON["forgets"]
            split(ENVIRON["family"] == "ip" ? "6 9 12 16" : "6 8 24", w, " ") # fragment, protocol, addresses
            for (i in w) printed[w[i]]
            table = ENVIRON["table"]
            places["filter"] = "filter|0"
            places["nat"] = "dstnat|srcnat|-?100"
            places["mangle"] = "mangle|-150"
            places["raw"] = "raw|-300"
            places["security"] = "security|50"
        }
        function surely() {
            if (handle in xt) return 0
            return handle in odd ? 1 : !(handle in counted) ? 2 : !(handle in jumps) ? 3 : 0
        }
        function ours() { # a base chain of iptables
            return chain ~ /^(INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING)$/ && index(text, " hook " tolower(chain) " ") &&
                match(text, " priority (" places[table] ");")
        }
        function left_out() { # by iptables, when it prints this expression
            if ($2 == "meta") return forgets && !($3 == "load" && $4 ~ /^([io]if(name)?|l4proto|protocol|nfproto)$/)
            if ($2 == "payload") {
                place = $6
                fragment = place == "network" && $9 == 6 && ENVIRON["family"] == "ip"
                if (place == "network") return forgets && !($9 in printed)
                return place != "transport" || forgets || ($9 > 3 && $9 != 13) # ports, types, flags
            }
            if ($2 == "bitwise") fragment = 0
            if ($2 == "cmp" && fragment) return 1
            return place == "network" && ($2 == "range" || / cmp [gl]t/)
        }
        $1 == ENVIRON["family"] && $2 == table && $4 ~ /^[0-9]+$/ { handle = $4; place = ""; next }
        /^  \[ / {
            if ($2 ~ /^(match|target)$/) xt[handle]
            else if ($2 == "counter") counted[handle]
            else if ($2 == "log" ? !/ group / : $2 !~ /^(payload|meta|cmp|bitwise|immediate|range|limit)$/) odd[handle]
            else if (left_out()) odd[handle]
            if ($2 == "immediate" && / (jump|goto) /) jumps[handle]
            next
        }
        /^\t[a-z]+ .* [{]/ { kind = $1; chain = $2; n = 0; held = "" }
        kind != "chain" { next }
        /^\t\ttype .* hook / {
            text = substr($0, 3)
            if (!ours()) { print 1, table, "chain", chain, 0, 0, text; chain = "" }
            next
        }
        /^\t\t/ && chain != "" {
            held = held (held == "" ? "" : " ") substr($0, 3)
            gsub(/\t+/, " ", held)
            if (!match(held, / # handle [0-9]+$/)) next
            text = substr(held, 1, RSTART - 1)
            handle = $NF
            held = ""
            if (surely() && !index(text, ENVIRON["ours"])) print surely(), table, "rule", chain, handle, n, text
            n++
        }'
}
native_lines() { # SAVED
    if ! command -v nft >/dev/null; then
        printf '%s\n' "$1" | sed -n "s/^# Table .\([a-z]*\). .*use 'nft' tool.*/\1/p"
        return
    fi
    _suspects= _forgets=
    find_version
    case $tool_version in *nf_tables*) ;; *) return 0 ;; esac
    ! _forgets || _forgets=yes
    for _table in $(_iptables_tables); do
        if _is_named "$1" "$_table"; then
            _suspects="$_suspects $_table:named"
        elif ! _is_printed "$1" "$_table"; then
            _suspects="$_suspects $_table:lost"
        elif [ -n "$_forgets" ] || _has_odd "$_table"; then
            _suspects="$_suspects $_table:maybe"
        fi
    done
    for _table in $_suspects; do
        _native_in "${_table%:*}" | kind="${_table#*:}" table="${_table%:*}" awk '
            BEGIN { FS = OFS = "\t"; kind = ENVIRON["kind"] }
            kind == "maybe" && ($1 != 1 || $4 !~ /^(INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING)$/) { next }
            { line[++n] = $0; level[n] = $1; if (!least || $1 < least) least = $1 }
            END {
                for (i = 1; i <= n; i++) if (level[i] == least) print substr(line[i], 3)
                if (!n && kind == "named") print ENVIRON["table"]
            }'
    done
}

# What nft has written into iptables' own tables that iptables cannot print, or prints as if it matched more. It would
# hide the rules around it. Only with iptables over nf_tables.
#
# native_lines SAVED    prints for each, tab-separated: table, `rule` or `chain`, chain, handle, index, text. Of a table
#                       that nothing can list, only the table
#
# Rules in which xtables has a part were made by iptables. Of the others, those come first that have an expression
# iptables does not use. If there are none in a table that iptables cannot print, then those without a counter, which
# iptables never leaves out; if there are none, all others that jump nowhere.
#
# SAVED: what TOOL-save prints, even if it failed.
# takes: tool nft_family

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
    } 2>/dev/null | family="$nft_family" table="$1" awk '
        BEGIN {
            OFS = "\t"
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
        $1 == ENVIRON["family"] && $2 == table && $4 ~ /^[0-9]+$/ { handle = $4; next }
        /^  \[ / {
            if ($2 ~ /^(match|target)$/) xt[handle]
            else if ($2 == "counter") counted[handle]
            else if ($2 == "log" ? !/ group / : $2 !~ /^(payload|meta|cmp|bitwise|immediate|range|limit)$/) odd[handle]
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
            if (surely()) print surely(), table, "rule", chain, handle, n, text
            n++
        }'
}
native_lines() { # SAVED
    if ! command -v nft >/dev/null; then
        printf '%s\n' "$1" | sed -n "s/^# Table .\([a-z]*\). .*use 'nft' tool.*/\1/p"
        return
    fi
    _suspects=
    for _table in $(_iptables_tables); do
        if _is_named "$1" "$_table"; then
            _suspects="$_suspects $_table:named"
        elif ! _is_printed "$1" "$_table"; then
            _suspects="$_suspects $_table:lost"
        elif { nft -t list table "$nft_family" "$_table" 2>/dev/null || nft list table "$nft_family" "$_table"; } |
            grep -Eq '^		.*[@{]'; then
            _suspects="$_suspects $_table:maybe"
        fi
    done
    [ -n "$_suspects" ] || return 0
    case $("$tool" -V 2>/dev/null) in *nf_tables*) ;; *) return 0 ;; esac
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

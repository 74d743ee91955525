# Removes what nft has written into iptables' own tables: natives.sh
#
# drop_natives    removes it, after `arm`, and saves for the rollback what iptables prints then, and what nft must add to
#                 that. Until the next rules are loaded, what reaches the end of the chains is dropped, and this
#                 connection is accepted
# natives_back    adds it again, for the rollback; may be run twice
#
# Exits: 85 (UNREADABLE).
# uses: components/firewall/controllers/natives.sh components/firewall/controllers/save_rules.sh hosts/system/origin.sh
# takes: tool nft_family guard

_native_undo() { # LINES: what nft adds again, in this order
    printf '%s\n' "$1" | family="$nft_family" ahead="$_ahead" awk '
        BEGIN { FS = "\t"; family = ENVIRON["family"] }
        $2 == "rule" {
            ahead = $1 == "filter" && $3 ~ /^(INPUT|OUTPUT)$/ ? ENVIRON["ahead"] : 0
            print "insert rule", family, $1, $3, "index", $5 - ahead, $6
        }'
}
_native_frame() { # LINES: the sets of their tables, and the base chains among them, as nft loads them
    for _table in $(printf '%s\n' "$1" | cut -f 1 | sort -u); do
        _chains=$(printf '%s\n' "$1" | table="$_table" awk -F '\t' '
            $1 == ENVIRON["table"] && $2 == "chain" { printf "%s ", $3 }')
        nft list table "$nft_family" "$_table" 2>/dev/null | chains="$_chains" awk '
            BEGIN { n = split(ENVIRON["chains"], w, " "); for (i = 1; i <= n; i++) theirs[w[i]] }
            /^table / || /^}/ { print; next }
            /^\t[a-z]+ .* [{]/ { on = $1 != "chain" || ($2 in theirs) }
            on'
    done
}
_policies_of_filter() { # prints `CHAIN POLICY`
    nft list table "$nft_family" filter 2>/dev/null | awk '
        /^\tchain / { chain = $2 }
        / hook .* policy / { sub(/.*policy /, ""); sub(/;.*/, ""); print chain, toupper($0) }'
}
_close_filter() { # CLIENT PORT: prints for nft what lets in only this connection, besides what the remaining rules do
    for _base in 'INPUT input drop' 'FORWARD forward drop' 'OUTPUT output accept'; do
        # shellcheck disable=SC2086 # words
        set -- "$1" "$2" $_base
        echo "add chain $nft_family filter $3 { type filter hook $4 priority 0; policy $5; }"
    done
    case $nft_family:$1 in ip:*.* | ip6:*:*) ;; *) return 0 ;; esac
    # drop_natives counts on one rule ahead of the others in each
    echo "insert rule $nft_family filter INPUT $nft_family saddr $1 tcp dport $2 counter accept $NATIVE_OURS"
    echo "insert rule $nft_family filter OUTPUT $nft_family daddr $1 tcp sport $2 counter accept $NATIVE_OURS"
}
_as_before_closing() { # POLICIES: filters what save_rules prints
    policies="$1" awk '
        BEGIN {
            n = split(ENVIRON["policies"], line, "\n")
            for (i = 1; i <= n; i++) { split(line[i], w, " "); was[":" w[1]] = w[2] }
        }
        /^\*/ { table = $0 }
        table == "*filter" && /^:/ && ($1 in was) { $2 = was[$1] }
        table == "*filter" && / --comment "?stockade-interim"? / { next }
        { print }'
}
drop_natives() {
    _policies=$(_policies_of_filter)
    # shellcheck disable=SC2046 # words
    set -- $(entry)
    _client=${1:-} _port=${4:-} _closed= _ahead=0
    : >"$guard/natives"
    for _round in 1 2 3 4; do
        _natives=$(native_lines "$("$tool-save" 2>/dev/null)")
        [ -n "$_natives" ] || break
        case $_natives in *"	"*) ;; *) exit 85 ;; esac
        [ "$_round" != 1 ] || _native_frame "$_natives" >"$guard/natives.frame"
        { _native_undo "$_natives" && cat "$guard/natives"; } >"$guard/natives.new"
        mv "$guard/natives.new" "$guard/natives"
        {
            printf '%s\n' "$_natives" | family="$nft_family" awk '
                BEGIN { FS = "\t"; family = ENVIRON["family"] }
                $2 == "rule" { print "delete rule", family, $1, $3, "handle", $4 }
                $2 == "chain" { print "flush chain", family, $1, $3; print "delete chain", family, $1, $3 }'
            if [ -z "$_closed" ] && printf '%s\n' "$_natives" | grep -q '^filter	'; then
                _closed=yes
                _close_filter "$_client" "$_port"
            fi
        } >"$guard/natives.drop"
        nft -f "$guard/natives.drop" >&2 || exit 85
        ! grep -q '^insert rule' "$guard/natives.drop" || _ahead=1
    done
    if [ -n "$_closed" ]; then
        save_rules | _as_before_closing "$_policies" >"$guard/rules.new"
    else
        save_rules >"$guard/rules.new"
    fi
    mv "$guard/rules.new" "$guard/rules"
}
natives_back() {
    [ -f "$guard/natives" ] || return 0
    nft -f "$guard/natives.frame" || :
    while read -r _line; do
        nft "$_line" 2>/dev/null || nft "$(printf '%s' "$_line" | sed 's/^insert \(.*\) index [0-9]* /add \1 /')" || :
    done <"$guard/natives"
}

# save_rules    prints all rules with their counters, for the rollback
#
# iptables-save without a table omits those that do not exist yet; named explicitly, a table is printed in its initial
# state. The output goes through a variable, because iptables-save does not notice a full disk, and printf does.
#
# natives: what nft has written into iptables' tables. Those with such rules cannot be printed: they are left out.
# takes: tool tables natives

save_rules() {
    _saved=$("$tool-save" -c) || [ -n "$natives" ]
    for _name in $tables; do
        case "
$_saved
" in *"
*$_name
"*) ;; *) _saved="$_saved
$("$tool-save" -c -t "$_name" 2>/dev/null || [ -n "$natives" ])" ;; esac
    done
    printf '%s\n' "$_saved" | awk '
        /^\*/ { text = "" }
        { text = text $0 "\n" }
        $0 == "COMMIT" { printf "%s", text; text = "" }'
}

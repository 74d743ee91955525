# Saves what is in force, for the rollback.
#
# iptables-save without a table omits those that do not exist yet; named explicitly, a table is printed in its initial
# state. The output goes through a variable, because iptables-save does not notice a full disk, and printf does.
# uses: components/firewall/sets/save.sh
# takes: tool tables guard boot

saved=$("$tool-save" -c)
for table in $tables; do
    case "
$saved
" in *"
*$table
"*) ;; *) saved="$saved
$("$tool-save" -c -t "$table")" ;; esac
done
printf '%s\n' "$saved" >"$guard/rules"
printf '%s\n' "$boot" >"$guard/boot_path"
[ ! -f "$boot" ] || cp -p "$boot" "$guard/boot"
save_sets

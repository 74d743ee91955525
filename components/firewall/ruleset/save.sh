# Saves what is in force, for going back.
#
# A table that does not exist yet is not in the list of all: named, it is printed as it would begin. By way of a variable,
# since iptables-save does not notice a full disk, and printf does.
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

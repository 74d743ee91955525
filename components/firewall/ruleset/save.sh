# Saves what is in force, for the rollback.
# uses: components/firewall/sets/save.sh components/firewall/controllers/save_rules.sh
# takes: guard boot

rules=$(save_rules)
printf '%s\n' "$rules" >"$guard/rules"
printf '%s\n' "$boot" >"$guard/boot_path"
[ ! -f "$boot" ] || cp -p "$boot" "$guard/boot"
save_sets

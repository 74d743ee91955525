# Restores the prior rules. Exits: 75 (STALE).
# uses: components/firewall/boot/boot_file.sh components/firewall/ruleset/lock.sh
# uses: components/firewall/ruleset/transaction.sh components/firewall/controllers/drop_natives.sh

find_boot_file
shorten_wait
natives=$(native_lines "$("$tool-save" 2>/dev/null)")
if [ -n "$natives" ]; then
    arm
    drop_natives
    exit 75
fi
plan_holds || exit 75
send -n --test
arm
send --noflush

# Restores the prior rules. Exits: 75 (STALE).
# uses: components/firewall/boot/boot_file.sh components/firewall/ruleset/lock.sh
# uses: components/firewall/ruleset/transaction.sh

find_boot_file
shorten_wait
plan_holds || exit 75
send -n --test
arm
send --noflush

# Loads the rules.
#
# others_expected: what `others` printed when the plan was made. Exits: 71 (NO_LOADER), 72 (UNSTARTED), 75 (STALE).
# uses: components/firewall/boot/boot_file.sh hosts/system/files.sh components/firewall/ruleset/lock.sh
# uses: components/firewall/controllers/find.sh components/firewall/controllers/take_over.sh
# uses: components/firewall/controllers/drop_natives.sh
# uses: components/firewall/sets/make.sh components/firewall/ruleset/transaction.sh hosts/system/services.sh
# takes: tool others_expected boot_content

find_boot_file
[ -z "$boot_content" ] || [ -n "$(svc_enabled "$boot_unit")" ] || exit 71
shorten_wait
# other firewalls must be known and dealt with when the plan is made
[ "$(others "$("$tool-save" 2>/dev/null)")" = "$others_expected" ] || exit 75
natives=$(printf '%s\n' "$others_expected" | grep '^native ') || :
if [ -n "$natives" ]; then
    arm
    drop_natives
    exit 75
fi
if [ -n "$(first_taken)" ]; then
    arm
    record_taken
    take_first
fi
plan_holds || exit 75
make_sets
send -n --test
# What needs disk space comes first. The file is not written to the boot file's own place yet: until the new rules are
# confirmed, a reboot must find the old ones there.
if [ -n "$boot_content" ]; then
    trap 'rm -f "$boot.next"; drop_new_sets' EXIT
    write_file "$boot.next" 640 root root "$boot_content"
fi
arm
record_taken
change_sets
track_open
send --noflush
untrack
take_rest
start_along || exit 72
trap - EXIT

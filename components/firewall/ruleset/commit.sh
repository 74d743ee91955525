# Makes the rules permanent: what the next boot loads, and what it checks.
#
# boot_back: the prior boot file is restored; its state is FileState.values("prior").
# uses: components/firewall/boot/boot_file.sh hosts/system/services.sh hosts/system/files.sh
# uses: components/firewall/boot/keep.sh components/firewall/boot/drop.sh components/firewall/boot/loader.sh
# uses: components/firewall/sets/keep.sh
# takes: persistent boot_back sets_gone

find_boot_file
own_sets
if [ -n "$persistent" ]; then
    if [ -f "$boot.next" ]; then
        svc_on "$boot_unit"
        keep_boot "$boot.next"
        clear_place "$boot"
        mv -f "$boot.next" "$boot"
    fi
    kept_boot || :
    active_quietly || :
else
    drop_boot
    [ -z "$boot_back" ] || restore_file prior "$boot"
fi
# shellcheck disable=SC2086 # words
disown_sets $sets_gone || :

# Makes the prior rules permanent, and restores the boot file, the sets and the programs that were taken over.
#
# untouched: tables that did not exist before. unit_back: the prior state of the service that loads the rules.
# controller: the prior other firewalls, as printed by `others`.
# uses: components/firewall/boot/boot_file.sh hosts/system/services.sh hosts/system/files.sh
# uses: components/firewall/boot/drop.sh components/firewall/sets/keep.sh components/firewall/controllers/take_over.sh
# takes: tool nft_family untouched unit_back set_names controller

find_boot_file
for table in $untouched; do
    # the table did not exist before; without nft it stays, empty, which accepts everything just the same
    if command -v nft >/dev/null && ! "$tool-save" -t "$table" | grep -Eq '^-A|^:[^ ]+ (DROP|-)'; then
        nft delete table "$nft_family" "$table" 2>/dev/null || :
    fi
done
restore_file prior "$boot"
case $unit_back in
    disabled) svc_off "$boot_unit" ;;
    masked) systemctl -q mask "$boot_unit" ;;
esac
# shellcheck disable=SC2086 # words
disown_sets $set_names
drop_boot
[ -d "$filters" ] || case $controller in # somebody removed what was recorded
    ufw) grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf || ufw --force enable >&2 ;;
    firewalld) svc_enable firewalld >&2 ;;
esac
give_back

# Makes the prior rules last, and puts back the boot file, the sets and the programs that were taken over.
#
# untouched: tables that were not there before. unit_back: what the service that loads the rules was then.
# controller: who else filtered, as `others` prints it.
# uses: components/firewall/boot/boot_file.sh hosts/system/services.sh hosts/system/files.sh
# uses: components/firewall/boot/drop.sh components/firewall/sets/keep.sh components/firewall/controllers/take_over.sh
# takes: tool nft_family untouched unit_back set_names controller

find_boot_file
for table in $untouched; do
    # the table was not there before; without nft it stays, empty, and lets everything through all the same
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
[ -d "$filters" ] || case $controller in # somebody has removed what was recorded
    ufw) grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf || ufw --force enable >&2 ;;
    firewalld) svc_enable firewalld >&2 ;;
esac
give_back

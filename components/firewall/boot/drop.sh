# drop_boot    makes the next boot skip the check of this family
# uses: components/firewall/boot/places.sh components/firewall/boot/opened.sh components/firewall/boot/loader.sh
# takes: ip_family

drop_boot() {
    opened
    inactive_quietly
    drop_unfinished
    rm -rf "${boots:?}/$ip_family" "${boots:?}/$ip_family.old"
    alone no_look_at_boot
}

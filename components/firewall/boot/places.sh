# Where the host keeps what it looks at when it boots. A change of it takes two renames: FAMILY.next is whole from the first
# on; a boot in between takes either.
#
# alone COMMAND...   runs it while no other change does: the other family's may come to its end at the same time
# looks_at_boot      whether somebody will look at the next boot
# no_look_at_boot    takes that away, unless the other family still needs it
# drop_unfinished    drops what a change did not come to keep
# takes: ip_family

boots=/var/lib/stockade/boot
_boot_units=/etc/systemd/system
_boot_levels=/etc/rc.d
alone() {
    mkdir -p /run/stockade
    (
        flock 7
        "$@"
    ) 7>/run/stockade/boot
}
looks_at_boot() {
    for _boot_name in "$_boot_units/multi-user.target.wants/stockade-firewall.service" "$_boot_levels/rc3.d/S09stockade-firewall" /etc/rcS.d/S??stockade-firewall; do
        if [ -L "$_boot_name" ] && [ -f "$boots/look" ] && [ -f "$boots/$ip_family/about" ]; then return 0; fi
    done
    return 1
}
no_look_at_boot() {
    [ -d "$boots" ] || return 0
    for _boot_name in "$boots"/ipv?*; do [ ! -e "$_boot_name" ] || return 0; done
    rm -rf "$boots"
    for _boot_name in stockade-sets stockade-firewall stockade-firewall-again; do
        rm -f "$_boot_units/$_boot_name.service" "$_boot_units/multi-user.target.wants/$_boot_name.service"
        rm -f "$_boot_levels/init.d/$_boot_name" "$_boot_levels"/rc?.d/S??"$_boot_name"
        if [ -f "/etc/init.d/$_boot_name" ]; then
            rm -f "/etc/init.d/$_boot_name" /etc/rc?.d/S??"$_boot_name"
            [ ! -x /sbin/insserv ] || flock /run/stockade/rc update-rc.d "$_boot_name" remove >&2 || :
        fi
    done
    rmdir /var/lib/stockade 2>/dev/null || :
}
drop_unfinished() { rm -rf "$boots/$ip_family.new" "$boots/$ip_family.next"; }

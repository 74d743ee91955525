# Where the host keeps what it checks at boot. Changing it takes two renames. FAMILY.next is complete before the first,
# and a boot in between accepts either.
#
# alone COMMAND...   runs it under a lock: the other family's change may finish at the same time
# looks_at_boot      whether the next boot is set up to restore the sets and run the check
# no_look_at_boot    removes that setup, unless the other family still needs it
# drop_unfinished    drops the files of a change that was not kept
# takes: ip_family sets

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
    [ -f "$boots/look" ] && [ -f "$boots/$ip_family/about" ] || return 1
    if [ -n "$sets" ]; then
        [ "$(cat "$boots/$ip_family/sets" 2>/dev/null)" = "$sets" ] && _starts_at_boot stockade-sets S07 || return 1
    fi
    _starts_at_boot stockade-firewall S09 && _starts_at_boot stockade-firewall-again S99
}
_starts_at_boot() { # NAME PLACE: the link of Red Hat's single script
    for _boot_link in "$_boot_units/multi-user.target.wants/$1.service" "$_boot_levels/rc3.d/$2stockade-firewall" \
        /etc/rc[S3].d/S??"$1"; do
        [ ! -L "$_boot_link" ] || return 0
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

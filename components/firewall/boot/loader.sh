# Makes the service that loads the rules at boot count as running once they are in force.
#
# active_quietly      marks the service as started, without running it
# inactive_quietly    marks it as stopped again, if active_quietly started it
# uses: hosts/system/services.sh components/firewall/boot/places.sh components/firewall/in_name_only.sh
# takes: boot_unit ip_family

active_quietly() {
    if [ -d /run/systemd/system ]; then
        if svc_active "$boot_unit" || ! systemctl cat "$boot_unit.service" >/dev/null 2>&1; then return 0; fi
        alone in_name_only start "$boot_unit" || return 0
    elif [ -d /var/lock/subsys ] && [ -x "/etc/rc.d/init.d/$boot_unit" ]; then
        [ ! -e "/var/lock/subsys/$boot_unit" ] || return 0
        : >"/var/lock/subsys/$boot_unit"
    else
        return 0
    fi
    : >"$boots/$ip_family.started"
}
inactive_quietly() {
    [ -f "$boots/$ip_family.started" ] || return 0
    if [ -d /run/systemd/system ]; then
        ! svc_active "$boot_unit" || alone in_name_only stop "$boot_unit" || :
    else
        rm -f "/var/lock/subsys/$boot_unit"
    fi
    rm -f "$boots/$ip_family.started"
}

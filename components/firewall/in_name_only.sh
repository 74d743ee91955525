# Services whose own work must not be done (iptables.service and its like, nftables.service): what they run on start would
# replace everything, others' chains too, and what they run on stop flushes. So systemd is told that they are up, or
# down, while what they run is nothing.
#
# in_name_only start|stop NAME

in_name_only() {
    _quiet=/run/systemd/system/$2.service.d
    mkdir -p "$_quiet"
    {
        echo '[Service]'
        printf '%s=\n' ExecStartPre ExecStart ExecStartPost ExecStop ExecStopPost
        echo 'ExecStart=/bin/true'
    } >"$_quiet/stockade.conf"
    systemctl daemon-reload
    _quiet_status=0
    systemctl "$1" "$2.service" >&2 || _quiet_status=$?
    rm -f "$_quiet/stockade.conf"
    rmdir "$_quiet" 2>/dev/null || :
    systemctl daemon-reload
    return "$_quiet_status"
}

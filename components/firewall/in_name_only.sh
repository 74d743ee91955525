# Starts or stops a service without running its commands (iptables.service and similar, nftables.service). On start they
# would replace all rules, including others' chains, and on stop they flush. So systemd is told that the service is up
# or down, while its commands are replaced by nothing.
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

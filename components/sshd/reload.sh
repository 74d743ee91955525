# reload_sshd CHANGED    makes sshd reload its configuration, and waits for that; open sessions have their own
#                        processes. CHANGED: not empty if the socket unit's drop-in has changed
#
# takes: listener

socket_dropin=zz-stockade.conf

sockets_of() { # PID: its listening sockets
    {
        ls -l "/proc/$1/fd" 2>/dev/null
        cat /proc/net/tcp /proc/net/tcp6 2>/dev/null
    } |
        awk '/socket:/ { gsub(/.*\[|\]/, ""); mine[$0] } $4 == "0A" && ($10 in mine) { print $10 }' | sort
}
reload_and_wait() { # PID COMMAND…: waits until sshd has reopened its sockets
    pid=$1 before=$(sockets_of "$1") try=0
    shift
    "$@" >&2 || return 1
    while [ "$try" -lt 300 ] && kill -0 "$pid" 2>/dev/null; do
        now=$(sockets_of "$pid")
        if [ -n "$now" ] && [ "$now" != "$before" ]; then return 0; fi
        try=$((try + 1))
        sleep 0.03
    done
    echo 'sshd did not come back after the reload' >&2
    return 1
}
reload_sshd() {
    if [ -n "$listener" ]; then
        if [ -n "$1" ]; then
            systemctl daemon-reload && systemctl stop "$listener" "${listener%.socket}.service" || return
            systemctl reset-failed "$listener" "${listener%.socket}.service" 2>/dev/null || : # or several changes exceed a start limit
            systemctl start "$listener"
        else
            systemctl try-restart "${listener%.socket}.service"
        fi
        return
    fi
    if [ -d /run/systemd/system ]; then
        for unit in ssh sshd; do
            systemctl is-active --quiet "$unit.service" || continue
            reload_and_wait "$(systemctl show -p MainPID "$unit.service" | cut -d= -f2)" systemctl reload "$unit.service"
            return
        done
    fi
    for script in ssh sshd; do
        [ -x "/etc/init.d/$script" ] && [ -f /var/run/sshd.pid ] || continue
        reload_and_wait "$(cat /var/run/sshd.pid)" "/etc/init.d/$script" reload
        return
    done
    echo 'none of ssh.service, sshd.service, ssh.socket and /etc/init.d/ssh runs on this host' >&2
    return 1
}

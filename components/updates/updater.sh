# The program that installs updates on this host, and what starts it.
#
# dropin      variable: its settings file
# program     variable: the program
# timers      variable: the units that start it
# masked      prints the services started by the timers that are masked
# seldom      prints the timers that start nothing within three days, and the files that set that
#
# Exits: 83 this distribution has none (NO_UPDATER).
#
# uses: hosts/system/distro.sh

known_distro
dropin=$updater_file
case $updater in
    unattended-upgrades)
        program=unattended-upgrade timers=cron # before apt 1.2.10: /etc/cron.daily/apt
        if [ -d /run/systemd/system ] && [ -e /lib/systemd/system/apt-daily.timer ]; then
            timers='apt-daily.timer apt-daily-upgrade.timer'
        fi
        ;;
    dnf-automatic | dnf5-automatic) program=dnf-automatic timers=$updater.timer ;;
    yum-cron) program='/etc/cron.daily/0yum*' timers='yum-cron crond' ;;
    *) exit 83 ;;
esac
masked() {
    for _timer in $timers; do
        case $_timer in
            *.timer)
                case $(systemctl is-enabled "${_timer%.timer}.service" 2>/dev/null) in
                    masked*) echo "${_timer%.timer}.service" ;;
                esac
                ;;
        esac
    done
}
seldom() {
    _soon=$(($(date +%s) + 3 * 86400))
    for _timer in $timers; do
        case $_timer in *.timer) ;; *) continue ;; esac
        _shown=$(systemctl show -p SubState -p NextElapseUSecRealtime "$_timer" 2>/dev/null) || continue
        case $_shown in
            *SubState=elapsed*) ;;
            *NextElapseUSecRealtime=[A-Z]*)
                _next=${_shown#*NextElapseUSecRealtime=}
                _next=$(date -d "${_next%%
*}" +%s 2>/dev/null) && [ "$_next" -gt "$_soon" ] || continue
                ;;
            *) continue ;;
        esac
        _files=$(systemctl show -p DropInPaths -p FragmentPath "$_timer" | sed -n 's/^[DF][^=]*=//p')
        # shellcheck disable=SC2086 # in one line
        echo $_timer: $_files
    done
}

# The program that installs updates on this host, and what starts it.
#
# dropin      variable: the file of its settings
# program     variable: the program
# timers      variable: the units that start it
# masked      prints the services that the timers start and that cannot be started
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

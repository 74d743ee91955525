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
_timers() { # sets units and services: those of `timers` that are timers, and what they start
    units= services=
    for _timer in $timers; do
        case $_timer in *.timer) units="$units $_timer" services="$services ${_timer%.timer}.service" ;; esac
    done
}
# shellcheck disable=SC2086,SC2046 # words: units and their states
masked() {
    _timers
    [ -n "$units" ] || return 0
    set -- $(systemctl is-enabled $services 2>/dev/null)
    for _service in $services; do # one that is unknown may have ended the list
        [ $# -gt 0 ] || set -- $(systemctl is-enabled "$_service" 2>/dev/null) unknown
        case $1 in masked*) echo "$_service" ;; esac
        shift
    done
}
# shellcheck disable=SC2086 # words: units
seldom() {
    _timers
    [ -n "$units" ] || return 0
    set -- $units
    {
        systemctl show -p SubState -p NextElapseUSecRealtime "$@" 2>/dev/null
        echo
    } | {
        _sub= _next=
        while IFS= read -r _row; do
            case $_row in
                SubState=*) _sub=${_row#*=} ;;
                NextElapseUSecRealtime=*) _next=${_row#*=} ;;
                '')
                    [ -n "$_sub" ] || continue
                    ! _late "$_sub" "$_next" || _with_files "$1"
                    _sub= _next=
                    shift
                    ;;
            esac
        done
    }
}
_late() { # SUBSTATE DATE
    [ "$1" != elapsed ] || return 0
    case $2 in [A-Z]*) ;; *) return 1 ;; esac
    _dates=$(printf 'now\n%s\n' "$2" | date -f - +%s 2>/dev/null) || return 1
    [ "${_dates#*
}" -gt "$((${_dates%%
*} + 3 * 86400))" ]
}
_with_files() { # TIMER
    _files=$(systemctl show -p DropInPaths -p FragmentPath "$1" </dev/null | sed -n 's/^[DF][^=]*=//p')
    # shellcheck disable=SC2086 # in one line
    echo $1: $_files
}

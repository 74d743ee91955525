# Services on a host (hosts/system/services.py).
#
# svc_state NAME...      prints `name enabled active` for each: systemctl(1)'s words, "absent" for an unknown unit
# svc_enabled NAME       prints the first of the two words, or nothing
# svc_active NAME        whether it is running
# svc_on | svc_off NAME  enables or disables it at boot
# svc_enable NAME        enables and starts it
# svc_disable NAME       disables and stops it
# svc_start | svc_stop | svc_restart | svc_reload NAME
# svc_restore NAME ENABLED ACTIVE    restores what svc_state printed
#
# Without systemd as process 1, they work on the scripts in /etc/init.d: by service(8), and by chkconfig(8) on Red Hat
# or update-rc.d(8) on Debian. Units other than services are absent there.

if [ -d /run/systemd/system ]; then
    _state_of() { # NAME
        _enabled=$(systemctl is-enabled "$1" 2>/dev/null </dev/null) || :
        case $_enabled in '' | not-found) _enabled=absent ;; esac
        _active=$(systemctl is-active "$1" 2>/dev/null </dev/null) || :
        printf '%s %s %s\n' "$1" "$_enabled" "${_active:-inactive}"
    }
    _unlike() { # NAME: whether `show` cannot be used: the unit is an alias, or a SysV script
        case "$_id" in "$1" | "$1.service") ;; *) return 0 ;; esac
        [ -n "$_source" ] || { [ -z "$_enabled" ] && [ -e "/etc/init.d/${1%.service}" ]; }
    }
    svc_state() { # all in one call
        _id= _active= _enabled= _source=
        while [ $# -gt 0 ] && IFS= read -r _row; do
            case $_row in
                Id=*) _id=${_row#*=} ;;
                ActiveState=*) _active=${_row#*=} ;;
                UnitFileState=*) _enabled=${_row#*=} ;;
                SourcePath=*) _source=${_row#*=} ;;
                '')
                    if _unlike "$1"; then
                        _state_of "$1"
                    else printf '%s %s %s\n' "$1" "${_enabled:-absent}" "$_active"; fi
                    shift
                    _id= _active= _enabled= _source=
                    ;;
            esac
        done <<EOF
$(systemctl show -p Id -p ActiveState -p UnitFileState -p SourcePath "$@" 2>/dev/null)

EOF
        for _unit in "$@"; do _state_of "$_unit"; done # units missing from its output
    }
    _linked() { # UNIT: whether `enable` has linked the package's own file, and no other file takes precedence over it
        for _file in "/etc/systemd/system/$1" "/run/systemd/system/$1"; do
            if [ -e "$_file" ] || [ -L "$_file" ]; then return 1; fi
        done
        for _link in /etc/systemd/system/*.wants/"$1"; do
            if [ -L "$_link" ] && [ "$_link" -ef "/lib/systemd/system/$1" ]; then return 0; fi
        done
        return 1
    }
    svc_enabled() { # calling systemctl takes 10 ms
        case $1 in *.*) _full=$1 ;; *) _full=$1.service ;; esac
        if _linked "$_full"; then
            echo enabled
        else
            _is=$(systemctl is-enabled "$1" 2>/dev/null) || :
            [ "$_is" = not-found ] || printf '%s\n' "$_is" # older versions do not print it
        fi
    }
    svc_active() { systemctl -q is-active "$1"; }
    # unmask and enable each reload systemd, and enable runs the SysV compatibility: a second, mostly for nothing
    svc_on() { [ "$(svc_enabled "$1")" = enabled ] || { _unmask "$1" && systemctl -q enable "$1"; }; }
    _unmask() {
        systemctl -q unmask "$1" || return
        [ ! -L "/run/systemd/system/$1" ] || systemctl -q unmask --runtime "$1"
    }
    svc_off() { systemctl -q disable "$1"; }
    svc_start() { systemctl start "$1"; }
    svc_stop() { systemctl stop "$1"; }
    svc_restart() { systemctl restart "$1"; }
    svc_reload() { systemctl reload "$1"; }
    svc_restore() {
        case $2 in
            enabled) svc_on "$1" ;;
            disabled) systemctl -q unmask "$1" && svc_off "$1" ;;
            masked) systemctl -q mask "$1" ;;
            masked-runtime) systemctl -q mask --runtime "$1" ;;
            *) : ;; # static, generated, absent: nothing to change
        esac
        case $2 in absent) return 0 ;; esac
        case $3 in active) systemctl start "$1" ;; *) systemctl stop "$1" ;; esac
    }
else
    _script() { # sets _name; whether there is such a script
        _name=${1%.service}
        case $_name in *.*) return 1 ;; esac
        [ -x "/etc/init.d/$_name" ]
    }
    _service() ( # a daemon must not inherit our open files or umask
        umask 022
        service "$@" </dev/null >/dev/null 2>&1 9>&- 8>&-
    )
    svc_state() {
        for _unit in "$@"; do
            _enabled=$(svc_enabled "$_unit")
            _active=inactive
            ! svc_active "$_unit" || _active=active
            printf '%s %s %s\n' "$_unit" "${_enabled:-absent}" "$_active"
        done
    }
    svc_enabled() {
        _script "$1" || return 0
        for _link in /etc/rc[2-5S].d/S[0-9][0-9]"$_name"; do
            if [ -e "$_link" ]; then
                echo enabled
                return
            fi
        done
        echo disabled
    }
    svc_active() { _script "$1" && _service "$_name" status; }
    svc_on() {
        _script "$1" || return 1
        if command -v chkconfig >/dev/null; then
            chkconfig "$_name" on
        else update-rc.d "$_name" defaults >/dev/null && update-rc.d "$_name" enable >/dev/null; fi
    }
    svc_off() {
        _script "$1" || return 1
        if command -v chkconfig >/dev/null; then
            chkconfig "$_name" off
        else update-rc.d "$_name" disable >/dev/null; fi
    }
    svc_start() { _script "$1" && _service "$_name" start; }
    svc_stop() { _script "$1" && _service "$_name" stop; }
    svc_restart() { _script "$1" && _service "$_name" restart; }
    svc_reload() { _script "$1" && _service "$_name" reload; }
    svc_restore() {
        case $2 in
            enabled) svc_on "$1" ;;
            disabled) svc_off "$1" ;;
            *) return 0 ;;
        esac
        case $3 in
            active) svc_active "$1" || svc_start "$1" ;;
            *) ! svc_active "$1" || svc_stop "$1" ;;
        esac
    }
fi
svc_enable() { svc_on "$1" && svc_start "$1"; }
svc_disable() { svc_off "$1" && svc_stop "$1"; }

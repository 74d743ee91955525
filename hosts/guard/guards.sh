# The guards of a host: shared by hosts/guard/hold.sh, arm.sh, commit.sh and give_up.sh.
#
# There are two locks (flock(1), so a dead process holds neither): /run/stockade/lock protects the choice of the holder,
# and a guard's file `back` is locked while that guard rolls back or is committed. Whoever takes the latter first
# renames the guard's directory. So a commit and a timer cannot both win, and a power failure leaves no doubt which of
# them did.
#
# Names begin with an underscore, because the armed script has variables of its own.
#
# takes: guard_name run guard_boot_unit guard_boot_red_hat guard_boot_debian

_guards=/var/lib/stockade/guard # FOLDER
_guard_log=$_guards.log         # LOG
_guard_lock=/run/stockade
_guard_unit=/etc/systemd/system/stockade-guard.service
_guard_wanted=/etc/systemd/system/sysinit.target.wants/stockade-guard.service
_guard_levels=/etc/rc.d
_guard_script=/etc/rc.d/init.d/stockade-guard
_guard_start=S01stockade-guard
_guard_lsb=/etc/init.d/stockade-guard
_guard_first=/etc/rcS.d
_started() { # PID: field 22 of proc(5); parsed by the shell itself, because each change needs several
    read -r _stat 2>/dev/null <"/proc/$1/stat" || return 0
    # shellcheck disable=SC2086 # words
    set -- ${_stat##*) }
    shift 19
    echo "$1"
}
_go_back() { # FOLDER OCCASION; what runs in there must not inherit our locks
    for _folder in "$1" "$1.going"; do
        [ -d "$_folder" ] || continue
        case $_folder in *.going) ;; *) _stop_timer "$_folder" ;; esac # if a rollback is running, wait for it
        if [ -f "$_folder/back" ]; then sh "$_folder/back" "$2" 9<&- >&2 || [ ! -d "$1.going" ] || return 1; fi
    done
}
_rc_links() { flock "$_guard_lock/rc" update-rc.d stockade-guard "$1" >&2; }
_at_boot() { # links the unit by hand: `systemctl enable` would reload systemd, which takes longer than everything else
    if [ -d /run/systemd/system ]; then
        [ ! -L "$_guard_wanted" ] || return 0
        mkdir -p "${_guard_wanted%/*}"
        (umask 022 && printf '%s' "$guard_boot_unit" >"$_guard_unit.$$")
        mv -f "$_guard_unit.$$" "$_guard_unit"
        ln -sf "$_guard_unit" "$_guard_wanted"
        sync "$_guard_unit" "${_guard_unit%/*}" "${_guard_wanted%/*}" 2>/dev/null || :
    elif [ -d "$_guard_levels/rc3.d" ] && [ ! -L "$_guard_levels/rc5.d/$_guard_start" ]; then
        (umask 022 && printf '%s' "$guard_boot_red_hat" >"$_guard_script.$$" && chmod 755 "$_guard_script.$$")
        mv -f "$_guard_script.$$" "$_guard_script"
        for _level in 2 3 4 5; do ln -sf ../init.d/stockade-guard "$_guard_levels/rc$_level.d/$_guard_start"; done
        sync
    elif [ -d "$_guard_first" ] && [ ! -L "$(echo "$_guard_first"/S??stockade-guard)" ]; then
        (umask 022 && printf '%s' "$guard_boot_debian" >"$_guard_lsb.$$" && chmod 755 "$_guard_lsb.$$")
        mv -f "$_guard_lsb.$$" "$_guard_lsb"
        if [ -x /sbin/insserv ] && [ ! -e /etc/init.d/.legacy-bootordering ]; then
            _rc_links defaults
        else
            ln -s ../init.d/stockade-guard "$_guard_first/S37stockade-guard" # after the disks, before the network
        fi
        sync
    fi
}
_stop_timer() { # FOLDER
    if [ -f "$1/timer" ]; then systemctl stop "$(cat "$1/timer")" 2>/dev/null || :; fi
    if [ -f "$1/sleeper" ] && read -r _pid _start <"$1/sleeper" && [ "$(_started "$_pid")" = "$_start" ]; then
        kill -- "-$_pid" 2>/dev/null || :
    fi
}
_no_guards() {
    [ -d "$_guards" ] || return 0
    rmdir "$_guards" 2>/dev/null || return 0
    rm -f "$_guard_wanted" "$_guard_unit" "$_guard_script" "$_guard_levels"/rc?.d/"$_guard_start"
    if [ -f "$_guard_lsb" ]; then
        rm -f "$_guard_lsb" "$_guard_first"/S??stockade-guard
        [ ! -x /sbin/insserv ] || _rc_links remove || :
    fi
    if [ -d "$_guards" ]; then # another change was armed meanwhile
        _at_boot
        return 0
    fi
    rmdir /var/lib/stockade 2>/dev/null || :
}
_last_record() { # the last log entry of this change
    [ ! -f "$_guard_log" ] || change=" $guard_name.$run " awk '
        at = index($0, ENVIRON["change"]) { said = substr($0, 1, at) substr($0, at + length(ENVIRON["change"])) }
        END { if (said != "") print said }' "$_guard_log"
}

# arm    saves what is in force and arms the way back, before the script that uses it changes anything
#
# A guard is a folder, /var/lib/stockade/guard/NAME.RUN (NAME.RUN.new while it is made, .done while it is committed, .going
# while it goes back), with what guard_save has put there and
#
#     back       hosts/guard/installed/back.sh with its variables
#     restore    what back runs: the chapter's own program with its variables
#     changer    `PID START` of the process that makes the change: whoever goes back ends it first, lest a change that
#                stood still comes into force after the way back is gone
#     timer      the unit that goes back when time is up; sleeper, `PID START`, where there is no systemd
#     room       some space that is given up first when the disk fills up meanwhile
#     boot_id    which boot it was
#     fresh      the records that this change has made, which go with it
#
# Exits: 79 the host has gone back already, 81 what is in force could not be saved.
#
# uses: hosts/guard/guards.sh
# takes: run guard_name guard_save guard_back guard_restore guard_limit guard_record guard_further
# shellcheck disable=SC2030,SC2031 # what the chapter saves goes to another $guard, in a subshell

_arm_identify() { # FOLDER
    printf '%s\n' "$_changer" >"$1/changer"
    [ ! -d /run/systemd/system ] || printf '%s' "stockade-back-$guard_name-$$.timer" >"$1/timer"
}
_arm_save() {
    _go_back "$guard" settle
    rm -rf "$guard.new" "$guard.done"
    rm -f "$_guard_lock/kept.$guard_name.$run"
    for _try in 1 2 3; do ! mkdir -p "$guard.new" 2>/dev/null || break; done # another change may end, and clean up
    [ -d "$guard.new" ] || mkdir -p "$guard.new"
    set +e
    (
        set -e
        guard=$guard.new
        eval "$guard_save"
        printf '%s' "$guard_restore" >"$guard/restore"
        printf '%s' "$guard_back" >"$guard/back"
        head -c 262144 /dev/zero >"$guard/room" # ROOM
    )
    _saved=$?
    set -e
    if [ "$_saved" -ne 0 ]; then
        df -P "$guard.new" >&2 || :
        rm -rf "$guard.new"
        if [ "$_saved" -le 2 ]; then exit 81; else exit "$_saved"; fi # UNSAVED
    fi
    _arm_identify "$guard.new"
    if [ -f "$_guard_lock/fresh.$guard_record" ]; then mv "$_guard_lock/fresh.$guard_record" "$guard.new/fresh"; fi
    cat /proc/sys/kernel/random/boot_id >"$guard.new/boot_id"
    sync "$guard.new"/* "$guard.new" 2>/dev/null || :
    mv "$guard.new" "$guard"
    sync "$_guards" 2>/dev/null || :
}
_arm_too_late() {
    _last_record >&2
    exit 79 # GONE_BACK
}
_arm_further() { # what was saved before the first step is what to go back to
    [ -f "$guard/back" ] || _arm_too_late
    exec 8<"$guard/back"
    flock -w 60 8
    [ -d "$guard" ] || _arm_too_late
    _stop_timer "$guard"
    _arm_identify "$guard"
    exec 8<&-
}
_arm_by_timer() { # OPTION...; --collect is not known before systemd 236
    systemd-run -q "$@" --unit="stockade-back-$guard_name-$$" --on-active="$guard_limit" \
        --timer-property=AccuracySec=100ms /bin/sh "$guard/back" timer "$_changer"
}
_arm_by_service() { # no timers before systemd 218
    printf '%s' "stockade-back-$guard_name-$$.service" >"$guard/timer"
    systemd-run --unit="stockade-back-$guard_name-$$" \
        /bin/sh -c 'sleep "$1"; exec sh "$2" timer "$3"' guard "$guard_limit" "$guard/back" "$_changer" >&2
}
_arm_by_sleeper() { # it answers once it leads a group of its own, which is what is ended later
    _sleeper=$(
        setsid sh -c 'echo "$$"; exec >/dev/null; sleep "$1"; exec sh "$2" timer "$3"' \
            guard "$guard_limit" "$guard/back" "$_changer" </dev/null 2>/dev/null &
    )
    printf '%s\n' "$_sleeper $(_started "$_sleeper")" >"$guard/sleeper"
}
arm() {
    guard=$_guards/$guard_name.$run
    _changer="$$ $(_started "$$")"
    if [ -z "$guard_further" ]; then _arm_save; else _arm_further; fi
    _at_boot
    if [ -d /run/systemd/system ]; then
        _arm_by_timer --collect 2>/dev/null || _arm_by_timer 2>/dev/null || _arm_by_service
    else
        _arm_by_sleeper
    fi
    begin armed # last: where nobody listens any more, it ends the script
    printf '%s\n' "$guard"
    end
}

# arm    saves what is in force and arms the rollback, before the calling script changes anything
#
# A guard is a directory, /var/lib/stockade/guard/NAME.RUN (NAME.RUN.new while it is created, .done while it is
# committed, .going while it rolls back), with the files that guard_save saved and
#
#     back       hosts/guard/installed/back.sh with its variables
#     restore    what back runs: the chapter's own program with its variables
#     changer    `PID START` of the process that makes the change: the rollback kills it first, or a stopped process
#                could continue the change after the rollback
#     timer      the unit that rolls back on timeout; sleeper, `PID START`, without systemd
#     room       reserved space, freed first in case the disk has filled up
#     boot_id    the boot in which the change was armed
#     fresh      the records that this change created, removed when it rolls back
#
# Exits: 79 the host has already rolled back, 81 what is in force could not be saved.
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
    for _try in 1 2 3; do ! mkdir -p "$guard.new" 2>/dev/null || break; done # another change may be ending and cleaning up
    [ -d "$guard.new" ] || mkdir -p "$guard.new" || exit 81
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
_arm_further() { # the rollback restores what was saved before the first step
    [ -f "$guard/back" ] || _arm_too_late
    exec 8<"$guard/back"
    flock -w 60 8
    [ -d "$guard" ] || _arm_too_late
    _stop_timer "$guard"
    _arm_identify "$guard"
    exec 8<&-
}
_arm_by_timer() { # OPTION...; --collect needs systemd 236
    systemd-run -q "$@" --unit="stockade-back-$guard_name-$$" --on-active="$guard_limit" \
        --timer-property=AccuracySec=100ms /bin/sh "$guard/back" timer "$_changer"
}
_arm_by_service() { # systemd before 218 has no transient timers
    printf '%s' "stockade-back-$guard_name-$$.service" >"$guard/timer"
    systemd-run --unit="stockade-back-$guard_name-$$" \
        /bin/sh -c 'sleep "$1"; exec sh "$2" timer "$3"' guard "$guard_limit" "$guard/back" "$_changer" >&2
}
_arm_by_sleeper() { # returns once the sleeper leads its own process group, which is what gets killed later
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
    begin armed # last: without a reader, this ends the script
    printf '%s\n' "$guard"
    end
}

# Commits an armed change: makes it survive a reboot, and disarms it. May be run twice. Exits with 79 if the host has
# rolled back, after waiting for a rollback in progress.
#
# uses: hosts/guard/guards.sh
# takes: run guard_name guard_commit
# shellcheck disable=SC2030,SC2031 # what the chapter commits is in another $guard, in a subshell

guard=$_guards/$guard_name.$run
kept=$_guard_lock/kept.$guard_name.$run
gone() {
    _go_back "$guard" now || :
    _last_record >&2
    exit 79 # GONE_BACK
}
if [ -f "$guard/back" ]; then
    exec 9<"$guard/back"
elif [ -f "$guard.done/back" ]; then # an earlier attempt whose connection broke
    exec 9<"$guard.done/back"
else
    [ ! -f "$kept" ] || exit 0
    gone
fi
flock -w 60 9
if [ -d "$guard" ]; then
    if [ "$(cat "$guard/boot_id")" != "$(cat /proc/sys/kernel/random/boot_id)" ]; then
        exec 9<&-
        _go_back "$guard" boot
        gone
    fi
    mv "$guard" "$guard.done"
fi
if [ ! -d "$guard.done" ]; then
    [ ! -f "$kept" ] || exit 0
    exec 9<&-
    gone
fi
(
    guard=$guard.done
    eval "$guard_commit"
) 9<&- || {
    status=$?
    mv "$guard.done" "$guard"
    exit "$status"
}
mkdir -p "$_guard_lock"
: >"$kept"
_stop_timer "$guard.done"
rm -rf "$guard.done"
_no_guards

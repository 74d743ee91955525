# Restores what was in force before a change of Stockade, unless the change is confirmed: the program `back` in a
# guard's directory (hosts/guard/arm.sh). OCCASION: timer, settle, now or boot. CHANGER: the process whose timer runs
# it.
#
#     sh back OCCASION [CHANGER]
#
# takes: title name

set -u
umask 077
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
guards=/var/lib/stockade/guard
occasion=${1:-timer}
case $occasion in
    boot) why='the host started again before the change was confirmed' ;;
    settle) why='the run that made the change ended without confirming it' ;;
    now) why='the change could not be confirmed' ;;
    *) why='the change was not confirmed in time' ;;
esac
guard=$guards/$name
[ -f "$guard/back" ] || guard=$guard.going
[ -f "$guard/back" ] || exit 0
exec 9<"$guard/back"
flock 9
[ -z "${2:-}" ] || [ "$2" = "$(cat "$guard/changer" 2>/dev/null)" ] || exit 0 # the timer of another change
if [ -d "$guards/$name" ]; then mv "$guards/$name" "$guards/$name.going" || exit 1; fi
guard=$guards/$name.going
[ -f "$guard/back" ] || exit 0 # another process was faster
record() {
    echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $name $title: $why: $1" >>"$guards.log"
    logger -t stockade -p auth.warning "$title: $why: $1" 9<&- 2>/dev/null || :
}
children() { # PID
    cat /proc/[0-9]*/stat 2>/dev/null | parent=$1 awk '
        { pid = $1; sub(/^.*[)] /, ""); if ($2 == ENVIRON["parent"]) print pid }'
}
ended() { # PID: kill it and all its descendants, and wait until they are gone; not this process, which may be one of them
    [ "$1" != "$$" ] || return 0
    kill -STOP "$1" 2>/dev/null || return 0
    for child in $(children "$1"); do
        (ended "$child")
    done
    kill -KILL "$1" 2>/dev/null
    waited=0
    while [ "$waited" -lt 100 ] && sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | grep -qv '^Z'; do
        waited=$((waited + 1))
        sleep 0.05
    done
}
asleep= # a sudo whose child is stopped stops too, and then does not notice the child's end
if [ "$occasion" != boot ] && read -r pid start <"$guard/changer"; then
    if [ "$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d ' ' -f 20)" = "$start" ]; then
        above=$pid
        for _ in one monitor; do
            above=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$above/status" 2>/dev/null)
            [ "$(cat "/proc/$above/comm" 2>/dev/null)" = sudo ] || break
            asleep="$asleep $above"
        done
        ended "$pid"
    fi
fi
rm -f "$guard/room"
# the timer is the last resort: it retries every second for half a minute, then every minute for three hours
tries=1 slow=180 pause=1
[ "$occasion" != timer ] || tries=210
export guard occasion
until sh "$guard/restore" 9<&-; do
    status=$?
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
        record "going back FAILED with status $status"
        exit 1
    fi
    if [ "$tries" -eq "$slow" ]; then
        record "going back fails with status $status, and is tried again"
        pause=60
    fi
    if [ "$tries" -gt "$slow" ]; then
        sleep "$pause"
        continue
    fi
    flock -u 9 # others that roll back meanwhile need not wait
    sleep "$pause"
    flock 9
    [ -f "$guard/back" ] || exit 0
done
record 'the previous settings are in force again'
if [ -f "$guard/fresh" ]; then while read -r record; do rm -f "$record"; done <"$guard/fresh"; fi
rm -rf "$guard"
waited=0
while [ -n "$asleep" ] && [ "$waited" -lt 40 ]; do
    left=
    for above in $asleep; do
        if [ "$(cat "/proc/$above/comm" 2>/dev/null)" = sudo ] && kill -CONT "$above"; then left="$left $above"; fi
    done
    asleep=$left
    waited=$((waited + 1))
    sleep 0.05
done

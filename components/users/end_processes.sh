# end_processes    kills all processes of the user with the given UID
#
# Exits: 99 they do not end.
#
# takes: uid

processes() { grep -ls "^Uid:[[:space:]]*${uid}[[:space:]]" /proc/[0-9]*/status | cut -d/ -f3; }
end_processes() {
    for signal in TERM KILL; do
        count=0
        while pids=$(processes) && [ -n "$pids" ] && [ "$count" -lt 25 ]; do
            # shellcheck disable=SC2086 # one word per process
            [ "$count" -gt 0 ] || kill -s "$signal" $pids 2>/dev/null || :
            count=$((count + 1))
            sleep 0.2
        done
    done
    [ -z "$(processes)" ] || exit 99
}

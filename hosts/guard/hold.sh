# Holds the host for a run, and settles what a dead run left armed. If another run holds the host, exits with 78 and its
# name on stderr.
#
# The holder is root's sshd process that serves the run, identified by its executable: the login's own processes may
# have any name and need not end. It ends with the run's connection, for whatever reason; if somebody stops it, the
# connection is closed all the same. After a cut cable, sshd may not notice for hours. So a holder also counts as gone
# once it has been silent for a while and runs nothing.
#
# /run/stockade/holder has five lines: the run, its process, the start time of that, the inode of its connection, its
# name.
#
# uses: hosts/guard/guards.sh hosts/system/origin.sh
# takes: run run_name

_children() { # PID
    cat /proc/[0-9]*/stat 2>/dev/null | parent=$1 awk '
        { pid = $1; sub(/^.*[)] /, ""); if ($2 == ENVIRON["parent"]) print pid }'
}
_runs_something() { # PID; sshd itself serves some logins with a child process
    for _child in $(_children "$1"); do
        case $(readlink "/proc/$_child/exe") in
            */sshd*) [ -z "$(_children "$_child")" ] || return 0 ;;
            *) return 0 ;;
        esac
    done
    return 1
}
_heard() { # INODE: milliseconds since the connection's last packet; nothing if it is closed
    ss -tnei | inode=$1 awk '
        /^[A-Z]/ {
            own = 0
            for (i = 6; i <= NF && !own; i++) if ($i ~ /^ino:[0-9]+$/) { own = 1; its = substr($i, 5) }
            own = $1 == "ESTAB" && its == ENVIRON["inode"]
        }
        own && match($0, /lastrcv:[0-9]+/) { print substr($0, RSTART + 8, RLENGTH - 8); found = 1; exit }
        own && /^[ \t]/ && !found { found = 1; print 0; exit }'
}
_other_holds() { # sets held_by
    held_by= held_pid= held_start= held_run= held_socket=
    [ ! -f "$_guard_lock/holder" ] || {
        read -r held_run && read -r held_pid && read -r held_start && read -r held_socket && IFS= read -r held_by
    } <"$_guard_lock/holder" || :
    [ -n "$held_pid" ] && [ -n "$held_start" ] && [ "$held_run" != "$run" ] || return 1
    [ "$(_started "$held_pid")" = "$held_start" ] || return 1
    [ -n "$held_socket" ] && command -v ss >/dev/null || return 0
    _since=$(_heard "$held_socket")
    [ -n "$_since" ] || return 1
    # a minute; every run sends a packet every 15 seconds (hosts/ssh/dialing.py)
    [ "$_since" -le 60000 ] || _runs_something "$held_pid"
}
server=$(_sshd_above)
socket=
if [ -n "$server" ]; then
    # shellcheck disable=SC2046 # words
    set -- $(_connection_of "$server")
    socket=${1-}
fi
began=
[ -z "$server" ] || began=$(_started "$server")
if [ -z "$began" ]; then # its connection broke meanwhile, or it has none
    server=$$ socket= began=$(_started $$)
fi
mkdir -p "$_guard_lock"
exec 9>"$_guard_lock/lock"
tries=0
while :; do
    flock -w 60 9 || {
        echo "owner unknown: $_guard_lock/lock is taken" >&2
        exit 78 # HELD
    }
    _other_holds || break
    flock -u 9
    if [ "$tries" -ge 60 ]; then # 15 seconds: the remains of a killed run may take 10 to be noticed
        printf '%s\n' "$held_by" >&2
        exit 78 # HELD
    fi
    tries=$((tries + 1))
    sleep 0.25
done
if [ "$held_run" != "$run" ]; then rm -f "$_guard_lock"/kept.* "$_guard_lock"/fresh.*; fi
printf '%s\n' "$run" "$server" "$began" "$socket" "$run_name" >"$_guard_lock/holder.$$"
mv -f "$_guard_lock/holder.$$" "$_guard_lock/holder"
for folder in "$_guards"/*; do
    case $folder in
        *".$run" | *".$run".*) continue ;;  # this run's own, of another resource
        *.new | *.done) rm -rf "$folder" ;; # died before it was armed, or after it was confirmed
    esac
    [ -d "$folder" ] || continue
    echo "cleaning up after an earlier run: $folder" >&2
    _go_back "$folder" settle || rm -rf "$folder" "$folder.going" # logged; what is in force now lets us in
done
_no_guards

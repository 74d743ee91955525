"""The sh of `hosts/guard/guarded.py`: who has the host, arming, committing; going back is in
`hosts/guard/back_shell.py`.

Two locks (flock(1), so a dead process holds neither): /run/stockade/lock while it is decided who has the host, and the
file `back` of a guard while that guard goes back or is committed. Whoever has the latter renames the guard's folder
first, so that a commit and a timer can't both win, and that a power cut leaves no doubt which of them did.
"""

from hosts.guard.back_shell import BOOT_SCRIPT, BOOT_UNIT, DEBIAN_BOOT_SCRIPT
from hosts.shell import quote
from hosts.system.origin import ENTRY

HELD = 78
"""Exit status: another run has the host."""
GONE_BACK = 79
"""Exit status of `committed`: the host has gone back already."""
NOT_BACK = 80
"""Exit status of `given_up`: going back failed."""
UNSAVED = 81
"""Exit status of an armed script: what is in force could not be saved."""
ROOM = 262_144
"""Bytes that are kept free for going back when the disk fills up meanwhile."""
FOLDER = "/var/lib/stockade/guard"
LOG = f"{FOLDER}.log"
PATIENCE = 60
"""Quarters of a second to wait for another run to end: what is left of a killed one may take 10 s to notice."""
SILENCE = 60_000
"""Milliseconds without a packet after which the connection of another run counts as broken; ours sends some every 15
seconds, and so do others' (`hosts/ssh/dialing.py`)."""

# Names that begin with an underscore: the script that is armed has variables of its own.
HEAD = f"""\
_guards={FOLDER}
_guard_log={FOLDER}.log
_guard_lock=/run/stockade
_guard_unit=/etc/systemd/system/stockade-guard.service
_guard_wanted=/etc/systemd/system/sysinit.target.wants/stockade-guard.service
_guard_levels=/etc/rc.d
_guard_script=/etc/rc.d/init.d/stockade-guard
_guard_start=S01stockade-guard
_guard_lsb=/etc/init.d/stockade-guard
_guard_first=/etc/rcS.d
_started() {{ # the 22nd field of proc(5); read by the shell itself, as each change asks for several
    read -r _stat 2>/dev/null <"/proc/$1/stat" || return 0
    set -- ${{_stat##*) }}
    shift 19
    echo "$1"
}}
_go_back() {{ # FOLDER OCCASION; what runs in there must not inherit our locks
    for _folder in "$1" "$1.going"; do
        [ -d "$_folder" ] || continue
        case $_folder in *.going) ;; *) _stop_timer "$_folder" ;; esac # what goes back already is waited for
        if [ -f "$_folder/back" ]; then sh "$_folder/back" "$2" 9<&- >&2 || [ ! -d "$1.going" ] || return 1; fi
    done
}}
_rc_links() {{ flock "$_guard_lock/rc" update-rc.d stockade-guard "$1" >&2; }}
_at_boot() {{ # wanted by hand: `systemctl enable` would reload systemd, which takes longer than all the rest
    if [ -d /run/systemd/system ]; then
        [ ! -L "$_guard_wanted" ] || return 0
        mkdir -p "${{_guard_wanted%/*}}"
        ( umask 022; printf '%s' {quote(BOOT_UNIT)} >"$_guard_unit.$$" )
        mv -f "$_guard_unit.$$" "$_guard_unit"
        ln -sf "$_guard_unit" "$_guard_wanted"
        sync "$_guard_unit" "${{_guard_unit%/*}}" "${{_guard_wanted%/*}}" 2>/dev/null || :
    elif [ -d "$_guard_levels/rc3.d" ] && [ ! -L "$_guard_levels/rc5.d/$_guard_start" ]; then
        ( umask 022; printf '%s' {quote(BOOT_SCRIPT)} >"$_guard_script.$$"; chmod 755 "$_guard_script.$$" )
        mv -f "$_guard_script.$$" "$_guard_script"
        for _level in 2 3 4 5; do ln -sf ../init.d/stockade-guard "$_guard_levels/rc$_level.d/$_guard_start"; done
        sync
    elif [ -d "$_guard_first" ] && [ ! -L "$(echo "$_guard_first"/S??stockade-guard)" ]; then
        ( umask 022; printf '%s' {quote(DEBIAN_BOOT_SCRIPT)} >"$_guard_lsb.$$"; chmod 755 "$_guard_lsb.$$" )
        mv -f "$_guard_lsb.$$" "$_guard_lsb"
        if [ -x /sbin/insserv ] && [ ! -e /etc/init.d/.legacy-bootordering ]; then _rc_links defaults
        else ln -s ../init.d/stockade-guard "$_guard_first/S37stockade-guard"; fi # after the disks, before the network
        sync
    fi
}}
_stop_timer() {{
    if [ -f "$1/timer" ]; then systemctl stop "$(cat "$1/timer")" 2>/dev/null || :; fi
    if [ -f "$1/sleeper" ] && read -r _pid _start <"$1/sleeper" && [ "$(_started "$_pid")" = "$_start" ]; then
        kill -- "-$_pid" 2>/dev/null || :
    fi
}}
_no_guards() {{
    [ -d "$_guards" ] || return 0
    rmdir "$_guards" 2>/dev/null || return 0
    rm -f "$_guard_wanted" "$_guard_unit" "$_guard_script" "$_guard_levels"/rc?.d/"$_guard_start"
    if [ -f "$_guard_lsb" ]; then
        rm -f "$_guard_lsb" "$_guard_first"/S??stockade-guard
        [ ! -x /sbin/insserv ] || _rc_links remove || :
    fi
    if [ -d "$_guards" ]; then _at_boot; return 0; fi # another change was armed meanwhile
    rmdir /var/lib/stockade 2>/dev/null || :
}}
_told() {{ # the last that is recorded of this change
    [ ! -f "$_guard_log" ] || change=" $guard_name.$run " awk '
        at = index($0, ENVIRON["change"]) {{ said = substr($0, 1, at) substr($0, at + length(ENVIRON["change"])) }}
        END {{ if (said != "") print said }}' "$_guard_log"
}}
"""

# The holder is the process of root's sshd that serves the run, told by its program: the login's own processes may have
# any names, and need not end. It ends with the run's connection, whatever ended that; where somebody stops it, the
# connection is closed all the same. Where a cut cable ended it, sshd learns nothing for hours; then it counts as gone
# when it has been silent and runs nothing.
HOLD = f"""\
{ENTRY}
_children() {{
    cat /proc/[0-9]*/stat 2>/dev/null | parent=$1 awk '
        {{ pid = $1; sub(/^.*[)] /, ""); if ($2 == ENVIRON["parent"]) print pid }}'
}}
_runs_something() {{ # sshd itself serves some logins with a child of its own
    for _child in $(_children "$1"); do
        case $(readlink "/proc/$_child/exe") in
            */sshd*) [ -z "$(_children "$_child")" ] || return 0 ;;
            *) return 0 ;;
        esac
    done
    return 1
}}
_heard() {{ # INODE: milliseconds since the connection's last packet; nothing where it is closed
    ss -tnei | inode=$1 awk '
        /^[A-Z]/ {{
            own = 0
            for (i = 6; i <= NF && !own; i++) if ($i ~ /^ino:[0-9]+$/) {{ own = 1; its = substr($i, 5) }}
            own = $1 == "ESTAB" && its == ENVIRON["inode"]
        }}
        own && match($0, /lastrcv:[0-9]+/) {{ print substr($0, RSTART + 8, RLENGTH - 8); found = 1; exit }}
        own && /^[ \t]/ && !found {{ found = 1; print 0; exit }}'
}}
_other_holds() {{ # sets held_by
    held_by= held_pid= held_start= held_run= held_socket=
    [ ! -f "$_guard_lock/holder" ] || . "$_guard_lock/holder"
    [ -n "$held_pid" ] && [ -n "$held_start" ] && [ "$held_run" != "$run" ] || return 1
    [ "$(_started "$held_pid")" = "$held_start" ] || return 1
    [ -n "$held_socket" ] && command -v ss >/dev/null || return 0
    _since=$(_heard "$held_socket")
    [ -n "$_since" ] || return 1
    [ "$_since" -le {SILENCE} ] || _runs_something "$held_pid"
}}
server=$(_sshd_above)
socket=
if [ -n "$server" ]; then
    set -- $(_connection_of "$server")
    socket=${{1-}}
fi
began=
[ -z "$server" ] || began=$(_started "$server")
if [ -z "$began" ]; then server=$$ socket= began=$(_started $$); fi # its connection broke meanwhile
mkdir -p -m 700 "$_guard_lock"
exec 9>"$_guard_lock/lock"
tries=0
while :; do
    flock -w 60 9 || {{ echo "nobody knows who: $_guard_lock/lock is taken" >&2; exit {HELD}; }}
    _other_holds || break
    flock -u 9
    if [ "$tries" -ge {PATIENCE} ]; then echo "$held_by" >&2; exit {HELD}; fi
    tries=$((tries + 1))
    sleep 0.25
done
if [ "$held_run" != "$run" ]; then rm -f "$_guard_lock"/kept.* "$_guard_lock"/fresh.*; fi
{{
    printf "held_run='%s'\\nheld_pid='%s'\\nheld_start='%s'\\nheld_socket='%s'\\n" \\
        "$run" "$server" "$began" "$socket"
    printf 'held_by=%s\\n' "$quoted_name"
}} >"$_guard_lock/holder.$$"
mv -f "$_guard_lock/holder.$$" "$_guard_lock/holder"
for folder in "$_guards"/*; do
    case $folder in
        *".$run" | *".$run".*) continue ;; # our own, of another resource
        *.new | *.done) rm -rf "$folder" ;; # died before it was armed, or after it was confirmed
    esac
    [ -d "$folder" ] || continue
    echo "settling what an earlier run left: $folder" >&2
    _go_back "$folder" settle || rm -rf "$folder" "$folder.going" # recorded; what is in force now lets us in
done
_no_guards
"""

_LATER = 'sleep "$1"; exec sh "$2" timer "$3"'
"""SECONDS BACK CHANGER: what takes a change back where there is no timer."""

# `changer`: whoever goes back ends it first, lest a change that stood still comes into force after the way back is gone
ARM = f"""\
guard=$_guards/$guard_name.$run
_changer="$$ $(_started "$$")"
_identify() {{ # FOLDER
    printf '%s\\n' "$_changer" >"$1/changer"
    [ ! -d /run/systemd/system ] || printf '%s' "stockade-back-$guard_name-$$.timer" >"$1/timer"
}}
_save() {{
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
        printf '%s' "$guard_back" >"$guard/back"
        head -c {ROOM} /dev/zero >"$guard/room"
    )
    _saved=$?
    set -e
    if [ "$_saved" -ne 0 ]; then
        df -P "$guard.new" >&2 || :
        rm -rf "$guard.new"
        if [ "$_saved" -le 2 ]; then exit {UNSAVED}; else exit "$_saved"; fi
    fi
    _identify "$guard.new"
    if [ -f "$_guard_lock/fresh.$guard_record" ]; then mv "$_guard_lock/fresh.$guard_record" "$guard.new/fresh"; fi
    cat /proc/sys/kernel/random/boot_id >"$guard.new/boot_id"
    sync "$guard.new"/* "$guard.new" 2>/dev/null || :
    mv "$guard.new" "$guard"
    sync "$_guards" 2>/dev/null || :
}}
_go_on() {{ # what was saved before the first step is what to go back to
    [ -f "$guard/back" ] || {{ _told >&2; exit {GONE_BACK}; }}
    exec 8<"$guard/back"
    flock -w 60 8
    [ -d "$guard" ] || {{ _told >&2; exit {GONE_BACK}; }}
    _stop_timer "$guard"
    _identify "$guard"
    exec 8<&-
}}
if [ -z "$guard_further" ]; then _save; else _go_on; fi
_at_boot
_by_timer() {{ # --collect is not known before systemd 236
    systemd-run -q "$@" --unit="stockade-back-$guard_name-$$" --on-active="$guard_limit" \\
        --timer-property=AccuracySec=100ms /bin/sh "$guard/back" timer "$_changer"
}}
_by_service() {{ # no timers before systemd 218
    printf '%s' "stockade-back-$guard_name-$$.service" >"$guard/timer"
    systemd-run --unit="stockade-back-$guard_name-$$" /bin/sh -c '{_LATER}' guard \\
        "$guard_limit" "$guard/back" "$_changer" >&2
}}
if [ -d /run/systemd/system ]; then
    _by_timer --collect 2>/dev/null || _by_timer 2>/dev/null || _by_service
else
    _sleeper=$( # it answers once it leads a group of its own, which is what is ended later
        setsid sh -c 'echo "$$"; exec >/dev/null; {_LATER}' guard "$guard_limit" "$guard/back" "$_changer" \\
            </dev/null 2>/dev/null &
    )
    printf '%s\\n' "$_sleeper $(_started "$_sleeper")" >"$guard/sleeper"
fi
begin armed; printf '%s\\n' "$guard"; end # last: where nobody listens any more, it ends the script
"""

COMMIT = f"""\
guard=$_guards/$guard_name.$run
kept=$_guard_lock/kept.$guard_name.$run
gone() {{
    _go_back "$guard" now || :
    _told >&2
    exit {GONE_BACK}
}}
if [ -f "$guard/back" ]; then
    exec 9<"$guard/back"
elif [ -f "$guard.done/back" ]; then # an earlier attempt, whose connection broke
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
( guard=$guard.done; eval "$guard_commit" ) 9<&- || {{ status=$?; mv "$guard.done" "$guard"; exit "$status"; }}
mkdir -p -m 700 "$_guard_lock"
: >"$kept"
_stop_timer "$guard.done"
rm -rf "$guard.done"
_no_guards
"""

GIVE_UP = f"""\
guard=$_guards/$guard_name.$run
if [ -f "$guard.done/back" ]; then # a commit that came to nothing, or is still at it
    exec 9<"$guard.done/back"
    flock -w 60 9
    if [ -d "$guard.done" ]; then mv "$guard.done" "$guard"; fi
    exec 9<&-
fi
rm -rf "$guard.new"
status=0
_go_back "$guard" now || status={NOT_BACK}
_no_guards
_told
exit "$status"
"""

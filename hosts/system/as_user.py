"""What lies where a user can write is the user's: it is read and changed as that user, never by root.

Root that names a path in such a folder, to chmod, chown, copy, move or read it, does so to whatever the user has put
there by then. As the user nothing can come of it but what the user could do anyway.

    AS_USER    as_user COMMAND…         as the user of the variables name, uid and gid, with its groups and nothing of
                                        root's: no environment, no open file but the three, 60 seconds at most
               talk INPUT COMMAND…      the same for 15 seconds, with INPUT as stdin; sets said (what it printed, as far
                                        as anything is read, and a dot), complaint, and ended: its status, or `ENDED`
               home_mode HOME MODE      gives a home folder its mode, as on_home
               on_home HOME COMMAND…    the command on a home folder itself: by root where only root can put another
                                        one in its place, else as the user
    ONLY_ROOTS only_roots FOLDER        prints its real path where nobody but root can put something else in its place,
                                        or into it; fails otherwise

What is printed as the user is the user's word, as it may do anything to its own processes: stop them, or keep open what
they have open. So it is written to a file, where nobody waits for an end that never comes, and read as bounded data.
"""

from hosts.system.files import Limit

ONLY_ROOTS = """\
only_roots() {
    _real=$(cd -P "$1/" 2>/dev/null && pwd -P) || return 1
    _real=${_real%/} _upper=$_real
    while :; do
        _who=$(stat -c '%u %A' "$_upper/") || return 1
        case $_who in '0 '?????w* | '0 '????????w*) return 1 ;; '0 '*) ;; *) return 1 ;; esac
        [ -n "$_upper" ] || break
        _upper=${_upper%/*}
    done
    printf '%s\\n' "$_real"
}
"""

AS_USER = (
    ONLY_ROOTS
    + """\
as_user() {
    set -- env -i "PATH=$PATH" LC_ALL=C "$@"
    _all=$(id -G "$name")
    if command -v setpriv >/dev/null; then
        _all=$(echo $_all | tr ' ' ,)
        set -- setpriv --reuid "$uid" --regid "$gid" --groups "$_all" --inh-caps=-all -- "$@"
    elif command -v runuser >/dev/null; then
        set -- runuser -s /bin/sh -c 'exec "$@"' -- "$name" sh "$@" # not -u: CentOS 6
    else # Debian 7
        set -- perl -e '($u, $g, $all) = splice @ARGV, 0, 3; $) = "$g $all"; $( = $g; ($<, $>) = ($u, $u);
            exec @ARGV if $< == $u && $> == $u && $( == $g && $) == $g; exit 126' "$uid" "$gid" "$_all" "$@"
    fi
    timeout -s KILL "${patience:-60}" "$@" 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
}
talk() {
    for _room in /run /var/run /tmp; do [ ! -d "$_room" ] || [ ! -w "$_room" ] || break; done
    _desk=$(mktemp -d "$_room/stockade-user.XXXXXX")
    printf '%s' "$1" >"$_desk/in"
    shift
    ended=0
    (
        ulimit -f ROOM # whoever keeps the file open cannot fill the disk either
        cd /
        patience=15
        as_user "$@" <"$_desk/in" >"$_desk/out" 2>"$_desk/complaint"
    ) || ended=$?
    said=$(head -c LIMIT "$_desk/out"; echo .)
    complaint=$(head -c 400 "$_desk/complaint")
    rm -rf "$_desk"
}
on_home() {
    _home=$1
    while [ "$_home" != "${_home%/}" ]; do _home=${_home%/}; done
    case ${_home##*/} in '' | . | ..) return 1 ;; esac
    shift
    if _top=$(only_roots "${_home%/*}") && [ ! -L "$_top/${_home##*/}" ]; then "$@" "$_top/${_home##*/}"
    else as_user "$@" "$_home"; fi
}
home_mode() { # of a folder, a number alone takes no setuid and setgid away
    on_home "$1" chmod ug-s && on_home "$1" chmod "$2"
}
""".replace("LIMIT", str(Limit.KEYS + 1000)).replace("ROOM", str(Limit.KEYS // 256))
)

ENDED = 137
"""Status of what did not come to its end as the user, and was ended."""

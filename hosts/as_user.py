"""What lies where a user can write is the user's: it is read and changed as that user, never by root.

Root that names a path in such a folder, to chmod, chown, copy, move or read it, does so to whatever the user has put
there by then. As the user nothing can come of it but what the user could do anyway.

    AS_USER    as_user COMMAND…         as the user of the variables name, uid and gid, with its groups and nothing of
                                        root's: no environment, no open file but the three, 60 seconds at most
               only_roots FOLDER        prints its real path where nobody but root can put something else in its place,
                                        or into it; fails otherwise
               on_home HOME COMMAND…    the command on a home folder itself: by root where only root can put another
                                        one in its place, else as the user

What `as_user` prints is the user's word, as it may do anything to its own processes: it goes through a pipe of root's,
is bounded there, and read as data.
"""

AS_USER = """\
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
    timeout -s KILL 60 "$@" 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
}
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
on_home() {
    _home=$1
    while [ "$_home" != "${_home%/}" ]; do _home=${_home%/}; done
    case ${_home##*/} in '' | . | ..) return 1 ;; esac
    shift
    if _top=$(only_roots "${_home%/*}") && [ ! -L "$_top/${_home##*/}" ]; then "$@" "$_top/${_home##*/}"
    else as_user "$@" "$_home"; fi
}
"""

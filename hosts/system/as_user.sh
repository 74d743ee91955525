# Files in places that a user can write to are read and changed as that user, never by root (hosts/system/as_user.py).
#
# as_user COMMAND...         runs it with the user's groups and nothing of root's: no environment, no open files but the
#                            standard three, 60 seconds at most
# talk INPUT COMMAND...      the same for 15 seconds, with INPUT as stdin; sets said (its output up to a limit, and a
#                            dot), complaint (its stderr) and ended (its status, 137 if it had to be killed)
# home_mode HOME MODE        sets the mode of a home directory, by on_home
# on_home HOME COMMAND...    runs the command on a home directory itself: as root if only root can replace that
#                            directory, else as the user
#
# uses: hosts/system/only_roots.sh
# takes: name uid gid patience

as_user() {
    [ "$uid" != 0 ] || return 126 # somebody gave the account root's number
    set -- env -i "PATH=$PATH" LC_ALL=C "$@"
    _all=$(id -G "$name")
    if command -v setpriv >/dev/null; then
        # shellcheck disable=SC2086 # one word per group
        _all=$(echo $_all | tr ' ' ,)
        set -- setpriv --reuid "$uid" --regid "$gid" --groups "$_all" --inh-caps=-all -- "$@"
    elif command -v runuser >/dev/null; then
        set -- runuser -s /bin/sh -c 'exec "$@"' -- "$name" sh "$@" # CentOS 6 has no -u
    else
        # Debian 7
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
        ulimit -f 4096 # so that a process that keeps the file open cannot fill the disk
        cd /
        patience=15
        as_user "$@" <"$_desk/in" >"$_desk/out" 2>"$_desk/complaint"
    ) || ended=$?
    said=$(
        head -c 1049576 "$_desk/out"
        echo .
    )
    complaint=$(head -c 400 "$_desk/complaint")
    rm -rf "$_desk"
}
on_home() {
    _home=$1
    while [ "$_home" != "${_home%/}" ]; do _home=${_home%/}; done
    case ${_home##*/} in '' | . | ..) return 1 ;; esac
    shift
    if _top=$(only_roots "${_home%/*}") && [ ! -L "$_top/${_home##*/}" ]; then
        "$@" "$_top/${_home##*/}"
    else as_user "$@" "$_home"; fi
}
home_mode() { # on directories, a numeric mode does not clear setuid and setgid
    on_home "$1" chmod ug-s && on_home "$1" chmod "$2"
}

# What listens on a host for connections and datagrams, and which program it is (hosts/system/listeners.py).
#
# Sections: ss or netstat, verbatim; holders, lines of `PID INODE`; programs, `PID KIND UID PACKAGE PATH`, where KIND is
# host, user or container; sockets, `ADDRESS:PORT SERVICE PACKAGE` of sockets that systemd listens on. Exits with 69 if
# there is neither ss, which comes with iproute2 on every Debian and Ubuntu, nor netstat.
#
# uses: hosts/system/distro.sh hosts/system/only_roots.sh

_package_of() { # a path; dpkg may list it without a merged /usr
    case $pkg_manager in
        dnf | yum | zypper) rpm -qf --qf '%{NAME}\n' "$1" 2>/dev/null | grep -v ' is not owned by ' | head -n 1 ;;
        pacman) pacman -Qqo "$1" 2>/dev/null | head -n 1 ;;
        *) { dpkg-query -S "$1" || dpkg-query -S "${1#/usr}"; } 2>/dev/null | sed -n '1s/[:,].*//p' ;;
    esac || :
}
_roots() { # whether only root can change it
    case $1 in '0 '*[2367][0-7] | '0 '*[2367]) return 1 ;; '0 '*) return 0 ;; *) return 1 ;; esac
}
_program() { # PID: prints `PID KIND UID PACKAGE PATH`
    _exe=$(readlink "/proc/$1/exe" && echo .) || return 0
    _exe=${_exe%??} _kind=user _package=-
    _file=$(stat -Lc '%u %a %d:%i' "/proc/$1/exe" 2>/dev/null) || return 0
    _place=$_exe
    if [ "$(readlink "/proc/$1/ns/user")" != "$_own_space" ]; then
        _kind=container
    elif [ -e "$_exe" ]; then
        [ "$(stat -c %d:%i "$_exe" 2>/dev/null)" = "${_file##* }" ] || _kind=container
    else
        case $_exe in
            *' (deleted)') _place=${_exe%' (deleted)'} ;; # upgraded since it was started
            *) _kind=container ;;
        esac
    fi
    if [ "$_kind" = user ] && _roots "${_file% *}" && only_roots "${_place%/*}" >/dev/null; then
        _kind=host _package=$(_package_of "$_place")
    fi
    _uid=
    while read -r _key _first _; do
        case $_key in Uid:) _uid=$_first && break ;; esac
    done 2>/dev/null <"/proc/$1/status" || return 0
    case $_place in *[!A-Za-z0-9/._+@-]*) _place=$(printf '%s' "$_place" | tr -c 'A-Za-z0-9/._+@-' '?') ;; esac
    printf '%s %s %s %s %s\n' "$1" "$_kind" "${_uid:-0}" "${_package:--}" "$_place"
}
if command -v ss >/dev/null; then
    _shown=$(ss -tulne)
    section ss printf '%s\n' "$_shown"
elif command -v netstat >/dev/null; then
    _shown=$(netstat -tulne 2>/dev/null)
    section netstat printf '%s\n' "$_shown"
else
    exit 69 # NO_TOOL
fi
_held=$(find /proc/[0-9]*/fd -lname 'socket:\[[0-9]*\]' -printf '%p %l\n' 2>/dev/null |
    sed -n 's,^/proc/\([0-9]*\)/fd/[0-9]* socket:\[\([0-9]*\)]$,\1 \2,p') || :
_held=$(printf '%s\n%s\n' "$_shown" "$_held" | awk '
    NF == 2 && /^[0-9]+ [0-9]+$/ { if ($2 in listens && !seen[$0]++) print; next }
    /^(tcp|udp)/ {
        inode = $NF
        for (i = 6; i <= NF; i++) if ($i ~ /^ino:[0-9]+$/) { inode = substr($i, 5); break }
        listens[inode]
    }')
section holders printf '%s\n' "$_held"
# processes that run one file as one user in one namespace are one program: a user may have thousands of them
_alike() { # lines of `PID FIRST`, a group of equals after another: FIRST is one of them
    printf '%s\n' "$_held" | awk '!seen[$1]++ { print $1 }' | {
        xargs sh -c '
            for pid; do set -- "$@" "/proc/$pid/exe" "/proc/$pid/ns/user"; shift; done
            { # a path may have line feeds
                find -L "$@" -maxdepth 0 -printf "%p file %D:%i\0"
                find "$@" -maxdepth 0 -printf "%p link %l\0"
            } | tr "\n\0" "?\n"
            for link; do case $link in */exe) set -- "$@" "${link%exe}status" ;; esac; shift; done
            grep -H "^Uid:" "$@"' _ 2>/dev/null
    } | awk '
        {
            pid = $0
            sub(/^\/proc\//, "", pid)
            sub(/\/.*/, "", pid)
            if (!(pid in about)) order[++n] = pid
            about[pid] = about[pid] "\n" substr($0, length(pid) + 7)
        }
        END {
            for (i = 1; i <= n; i++) {
                key = about[order[i]]
                if (!(key in first)) { first[key] = order[i]; group[++m] = key }
                members[key] = members[key] order[i] " " first[key] "\n"
            }
            for (i = 1; i <= m; i++) printf "%s", members[group[i]]
        }'
}
_own_space=$(readlink /proc/self/ns/user) || :
begin programs
[ -z "$_held" ] || _alike | {
    _first= _line=
    while read -r _pid _of; do
        if [ "$_of" != "$_first" ]; then _first=$_of _line=$(_program "$_of"); fi
        [ -z "$_line" ] || printf '%s %s\n' "$_pid" "${_line#* }"
    done
}
end
begin sockets
[ ! -d /run/systemd/system ] || systemctl list-sockets --no-legend --no-pager --full |
    while read -r _listen _socket _service _; do
        case $_listen in
            *:[0-9]*)
                _file=$(systemctl show -p FragmentPath "$_socket" | sed 's/^[^=]*=//')
                printf '%s %s %s\n' "$_listen" "${_service%.service}" "$(_package_of "$_file")"
                ;;
        esac
    done
end

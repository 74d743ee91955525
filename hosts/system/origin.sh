# entry    prints `CLIENT PORT SERVER PORT` of the connection that this run uses; nothing if none is found

_is_sshd() { # PID: whether it is root's own, by its executable
    case $(sed -n 's/^Uid:[[:space:]]*\([0-9]*\)[[:space:]]*\([0-9]*\).*/\1 \2/p' "/proc/$1/status") in
        '0 0') ;;
        *) return 1 ;;
    esac
    case $(readlink "/proc/$1/exe") in
        */sshd | */sshd' (deleted)' | */sshd-* | */dropbear*) return 0 ;;
        *) return 1 ;;
    esac
}
_end_point() { # ADDRESS:PORT, as ss or netstat writes it; lets through only an address and a number
    _port=${1##*:} _address=${1%:*}
    _address=${_address#'['}
    _address=${_address%%]*}
    _address=${_address%%%*}
    case $_address in ::ffff:*.*) _address=${_address#::ffff:} ;; esac
    case $_address in '' | *[!0-9a-fA-F.:]*) return 1 ;; esac
    case $_port in '' | *[!0-9]*) return 1 ;; esac
    printf '%s %s' "$_address" "$_port"
}
_sshd_above() { # prints root's sshd process that serves this run; nothing if there is none
    _pid=$PPID
    while [ "${_pid:-0}" -gt 1 ] && ! { _is_sshd "$_pid"; } 2>/dev/null; do
        read -r _stat <"/proc/$_pid/stat" || return 0
        # shellcheck disable=SC2086 # words
        set -- ${_stat##*) }
        _pid=$2
    done
    [ "${_pid:-0}" -le 1 ] || echo "$_pid"
}
_connection_of() { # PID: prints `INODE OWN-END OTHER-END` of its connection
    # shellcheck disable=SC2012 # the form in which ls prints a link; not a file name
    _sockets=$(ls -l "/proc/$1/fd" 2>/dev/null | sed -n 's/.* -> socket:\[\([0-9]*\)]$/\1/p')
    # matched by inode, the first word of its kind: processes and cgroups may have any name
    if command -v ss >/dev/null; then
        ss -tne | awk '$1 == "ESTAB" {
            for (i = 6; i <= NF; i++) if ($i ~ /^ino:[0-9]+$/) { print substr($i, 5), $4, $5; next }
        }'
    else
        netstat -tne 2>/dev/null | awk '$6 == "ESTABLISHED" { print $8, $4, $5 }'
    fi | sockets=$_sockets awk '
        BEGIN { n = split(ENVIRON["sockets"], inode); for (i = 1; i <= n; i++) its[inode[i]] }
        $1 in its { print; exit }'
}
entry() { # prints `CLIENT PORT SERVER PORT` of the connection that this run uses; nothing if none is found
    _server_of_run=$(_sshd_above)
    [ -n "$_server_of_run" ] || return 0
    # shellcheck disable=SC2046 # words
    set -- $(_connection_of "$_server_of_run")
    [ $# -eq 3 ] && _client=$(_end_point "$3") && _server=$(_end_point "$2") || return 0
    printf '%s %s\n' "$_client" "$_server"
}

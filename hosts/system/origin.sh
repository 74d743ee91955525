# entry    prints `CLIENT PORT SERVER PORT` of the connection that this run uses; nothing if none is found

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
_sshd_above() { # prints the process id of root's own sshd that serves this run; nothing if there is none
    _pid=$PPID
    while [ "${_pid:-0}" -gt 1 ]; do
        _above= _uids=
        while read -r _key _first _second _; do # without starting a program for each process
            case $_key in
                PPid:) _above=$_first ;;
                Uid:) _uids="$_first $_second" && break ;;
            esac
        done 2>/dev/null <"/proc/$_pid/status" || return 0
        if [ "$_uids" = '0 0' ]; then
            case $(readlink "/proc/$_pid/exe") in
                */sshd | */sshd' (deleted)' | */sshd-* | */dropbear*)
                    echo "$_pid"
                    return 0
                    ;;
            esac
        fi
        _pid=$_above
    done
}
_connection_of() { # PID: prints `INODE OWN-END OTHER-END` of its connection
    # matched by inode, the first word of its kind: processes and cgroups may have any name
    {
        if command -v ss >/dev/null; then ss -tne; else netstat -tne 2>/dev/null; fi || :
        echo descriptors
        # shellcheck disable=SC2012 # the form in which ls prints a link; not a file name
        ls -l "/proc/$1/fd" 2>/dev/null
    } | awk '
        $0 == "descriptors" { below = 1 }
        below {
            if (match($0, / -> socket:\[[0-9]+\]$/)) its[substr($0, RSTART + 12, RLENGTH - 13)]
            next
        }
        $1 == "ESTAB" {
            for (i = 6; i <= NF; i++) if ($i ~ /^ino:[0-9]+$/) { row[++n] = substr($i, 5) " " $4 " " $5; break }
        }
        $6 == "ESTABLISHED" { row[++n] = $8 " " $4 " " $5 }
        END { for (i = 1; i <= n; i++) if (substr(row[i], 1, index(row[i], " ") - 1) in its) { print row[i]; exit } }'
}
entry() { # prints `CLIENT PORT SERVER PORT` of the connection that this run uses; nothing if none is found
    _server_of_run=$(_sshd_above)
    [ -n "$_server_of_run" ] || return 0
    # shellcheck disable=SC2046 # words
    set -- $(_connection_of "$_server_of_run")
    [ $# -eq 3 ] && _client=$(_end_point "$3") && _server=$(_end_point "$2") || return 0
    printf '%s %s\n' "$_client" "$_server"
}

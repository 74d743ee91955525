# Builds the new configuration, tests it, and only then puts it in force: all files, then a reload. With give_back,
# removes what Stockade wrote.
#
# Exits: those of daemon.sh, build.sh and check.sh; 70 sshd did not load it, 73 a link in place of a file, 74 not
# written.
#
# uses: components/sshd/daemon.sh components/sshd/build.sh components/sshd/check.sh components/sshd/reload.sh
# takes: give_back

swap() { # FILE: replaced by the staged one, or removed
    case $1 in "$dropin" | "$aside")
        ! _irregular "$1" || printf '%s\n' "$1" >>"$stage/changed"
        clear_place "$1"
        ;;
    esac
    if [ -f "$stage/new$1" ]; then
        if cmp -s "$stage/new$1" "$1"; then return 0; fi
    elif [ ! -e "$1" ]; then
        return 0
    fi
    [ ! -L "$1" ] || fail 73 "$1 is a symbolic link; it is left alone"
    printf '%s\n' "$1" >>"$stage/changed"
    if [ -f "$stage/new$1" ]; then
        (umask 022 && mkdir -p "${1%/*}")
        put "$stage/new$1" "$1" || {
            rm -f "$1.stockade"
            fail 74 "$1 cannot be written"
        }
    else
        rm -f "$1"
        case $1 in */"$socket_dropin") rmdir "${1%/*}" 2>/dev/null || : ;; esac
    fi
}
put() { # FROM TO: all or nothing, with the existing owner and mode if it is another's
    rm -f "$2.stockade"
    case $2 in
        "$dropin" | "$aside") : >"$2.stockade" ;;
        *) if [ -f "$2" ]; then cp -p "$2" "$2.stockade"; else : >"$2.stockade"; fi ;;
    esac &&
        cat "$1" >"$2.stockade" && { sync "$2.stockade" 2>/dev/null || :; } && mv -f "$2.stockade" "$2" || return 1
    case $2 in */"$socket_dropin") chmod 644 "$2" ;; esac
    if command -v restorecon >/dev/null; then restorecon "$2" || :; fi
}

find_sshd
stage_files
label_ports
[ -n "$give_back" ] || {
    read_by_daemon
    write_ours
}
stage_socket
check_configuration
: >"$stage/changed"
{
    printf '%s\n' "$dropin" "$aside"
    for unit in ssh sshd; do echo "/etc/systemd/system/$unit.socket.d/$socket_dropin"; done
    cat "$stage/files"
} >"$stage/all"
arm
for port in $unlabelled; do
    semanage port -a -t ssh_port_t -p tcp "$port" || semanage port -m -t ssh_port_t -p tcp "$port"
done
# files with restrictions are written last, and removed first
for file in "$dropin" "$aside" "/etc/systemd/system/ssh.socket.d/$socket_dropin" \
    "/etc/systemd/system/sshd.socket.d/$socket_dropin"; do
    [ -f "$stage/new$file" ] || swap "$file"
done
while read -r file; do swap "$file"; done <"$stage/files"
for file in "$dropin" "$aside" "/etc/systemd/system/$listener.d/$socket_dropin"; do
    [ ! -f "$stage/new$file" ] || swap "$file"
done
reload_sshd "$(grep -F "$socket_dropin" "$stage/changed" || :)" || fail 70 'sshd did not take the new configuration'

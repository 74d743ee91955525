# Rolls back a change for which no login was proved (hosts/guard): restores files, ports and the socket unit's addresses
# as saved by save.sh. Safe to run twice.
#
# uses: components/sshd/reload.sh
# takes: guard occasion

start_again() { # a reload may have ended sshd
    if [ ! -d /run/systemd/system ]; then
        for script in ssh sshd; do
            # sshd must not inherit our umask
            if [ -x "/etc/init.d/$script" ]; then
                (
                    umask 022
                    "/etc/init.d/$script" restart 9>&- >&2
                )
                return
            fi
        done
        return 1
    fi
    for unit in ${listener:-ssh.service sshd.service}; do
        systemctl cat "$unit" >/dev/null 2>&1 || continue
        systemctl reset-failed "$unit" ${listener:+"${listener%.socket}.service"} 2>/dev/null || :
        ! systemctl restart "$unit" || return 0
    done
    return 1
}
replace() { # OLD FILE
    (umask 022 && mkdir -p "${2%/*}")
    if ! { cp -p "$1" "$2.stockade" && mv -f "$2.stockade" "$2"; }; then # the disk is full
        rm -f "$2.stockade"
        cp -p "$1" "$2"
    fi
    if command -v restorecon >/dev/null; then restorecon "$2" || :; fi
}
listener=$(cat "$guard/listener")
changed=
while read -r file; do
    old=$guard/old$(echo "$file" | tr / %)
    rm -f "$file.stockade"
    if [ -f "$old" ]; then
        if cmp -s "$old" "$file"; then continue; fi
        replace "$old" "$file"
    elif [ -f "$file" ]; then
        rm -f "$file"
        case $file in */"$socket_dropin") rmdir "${file%/*}" 2>/dev/null || : ;; esac
    else
        continue
    fi
    changed="$changed $file"
done <"$guard/files"
socket=$(printf '%s' "$changed" | grep -F .socket.d/ || :)
if [ "$occasion" = boot ]; then # sshd starts later
    [ -z "$socket" ] || systemctl daemon-reload
    exit 0
fi
reload_sshd "$socket" || start_again
# shellcheck disable=SC2013 # words of one line
for port in $(cat "$guard/unlabelled"); do semanage port -d -t ssh_port_t -p tcp "$port" || :; done

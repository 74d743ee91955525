# Rolls back a change of an account that was not proved by a login (hosts/guard): restores its entries, drop-in and keys
# as saved by save.sh. Only this account's lines are restored, because others may change meanwhile. Safe to run twice.
#
# uses: components/users/account.sh components/users/keys/keys.sh components/users/end_processes.sh
# takes: name dropin guard

entry_back() { # FILE OPTION: replaces the account's line by its only line; vipw locks out others meanwhile
    edit=$(mktemp)
    cat >"$edit" <<'EOF'
awk -F: '
    BEGIN { getline was <ENVIRON["entry"] }
    $1 == ENVIRON["account"] { print was; found = 1; next }
    { print }
    END { if (!found) print was }' "$1" >"$1.next" &&
    cat "$1.next" >"$1" && rm -f "$1.next" && touch -t 200001010000 "$1" # vipw goes by the time of change
EOF
    account=$name entry=$1 VISUAL="sh $edit" EDITOR="sh $edit" vipw ${2:+"$2"} >/dev/null 2>&1 || :
    rm -f "$edit"
}
groups_back() {
    now=" $(groups_of) " then=" $(cat "$guard/groups") "
    for group in $then; do
        case $now in *" $group "*) ;; *) usermod -aG "$group" "$name" ;; esac
    done
    for group in $now; do
        case $then in *" $group "*) ;; *) gpasswd -d "$name" "$group" >/dev/null ;; esac
    done
}
octal() { case $1 in *[!0-7]*) ;; *) printf '%s\n' "$1" ;; esac }
keys_back() {
    if [ -s "$guard/keys.trouble" ] || [ ! -f "$guard/keys" ]; then return 0; fi
    read -r folder _ <"$guard/ssh" || :
    folder=$(octal "$folder")
    read -r kind mode _ group _ <"$guard/keys.meta" || :
    if [ "$kind" = file ]; then
        content=$(cat "$guard/keys" && echo .)
        put_keys "$folder" "$(octal "$mode" | grep . || echo 600)" any "${content%.}" "$group" && return 0 || ended=$?
    else
        remove_keys "$folder" any && return 0 || ended=$?
    fi
    # the user's own doing: not the user's file, no directory and none can be created, or it hangs
    case $ended in 91 | 86 | 83) ;; *) return "$ended" ;; esac
}
home_back() {
    mode=$(octal "$(cat "$guard/home")")
    [ "$(stat -Lc %a "$home")" = "$mode" ] || home_mode "$home" "$mode"
}
dropin_back() {
    if [ ! -f "$guard/dropin" ]; then
        rm -f "$dropin"
    elif ! cmp -s "$guard/dropin" "$dropin"; then
        cp -p "$guard/dropin" "$dropin.stockade"
        mv -f "$dropin.stockade" "$dropin"
    fi
}
dropin_back
if [ -f "$guard/passwd" ]; then
    [ "$(getent passwd "$name")" = "$(cat "$guard/passwd")" ] || entry_back "$guard/passwd" ""
    [ "$(getent shadow "$name")" = "$(cat "$guard/shadow")" ] || entry_back "$guard/shadow" -s
    groups_back
    home=$(field 6) uid=$(field 3) gid=$(field 4)
    if [ -f "$guard/home" ] && [ -d "$home" ]; then
        keys_back
        home_back
    fi
    [ "$(getent passwd "$name")" = "$(cat "$guard/passwd")" ]
    [ "$(getent shadow "$name")" = "$(cat "$guard/shadow")" ]
elif [ -n "$(field 1)" ]; then # the change created it
    uid=$(field 3)
    chage -E 0 "$name"
    end_processes
    userdel "$name" >&2 || [ -z "$(field 1)" ]
    if [ -s "$guard/group" ] && ! getent group "$name" >/dev/null; then
        groupadd -g "$(cut -d: -f3 "$guard/group")" "$name"
    fi
fi
[ -f "$guard/kept" ] || rm -f "/var/lib/stockade/accounts/$name"
rmdir /var/lib/stockade/accounts 2>/dev/null || :

"""The sh by which a change of the admin's own account goes back (`hosts/guard.py`): its entries, drop-in and keys.

Only what is this account's is put back, line by line: others may change meanwhile. Values: name, dropin.
"""

from components.users_shell import AS_USER, END_PROCESSES, KEYS, SHADOW

SAVE = """\
if [ -f "$dropin" ]; then cp -p "$dropin" "$guard/dropin"; fi
if [ -f "$kept" ]; then : >"$guard/kept"; fi
getent group "$name" >"$guard/group" || :
if [ -n "$(field 1)" ]; then
    getent passwd "$name" >"$guard/passwd"
    getent shadow "$name" >"$guard/shadow"
    id -Gn "$name" >"$guard/groups"
    home=$(field 6)
    if [ -d "$home" ]; then stat -Lc '%a %u:%g' "$home" >"$guard/home"; fi
    (
        enter || exit 0
        stat -c '%a %u:%g' . >"$guard/ssh"
        keys_there || exit 0
        stat -c '%a %u:%g' authorized_keys >"$guard/keys.meta"
        read_keys >"$guard/keys"
    )
fi
"""

_ENTRIES = """\
entry_back() { # FILE OPTION: its only line instead of the account's; vipw keeps others out meanwhile
    edit=$(mktemp)
    cat >"$edit" <<'EOF'
awk -F: -v name="$account" -v was="$(cat "$entry")" '
    $1 == name { print was; found = 1; next }
    { print }
    END { if (!found) print was }' "$1" >"$1.next" &&
    cat "$1.next" >"$1" && rm -f "$1.next" && touch -t 200001010000 "$1" # vipw goes by the time of change
EOF
    account=$name entry=$1 VISUAL="sh $edit" EDITOR="sh $edit" vipw $2 >/dev/null 2>&1 || :
    rm -f "$edit"
}
groups_back() {
    now=" $(id -Gn "$name") " then=" $(cat "$guard/groups") "
    for group in $then; do
        case $now in *" $group "*) ;; *) usermod -aG "$group" "$name" ;; esac
    done
    for group in $now; do
        case $then in *" $group "*) ;; *) gpasswd -d "$name" "$group" >/dev/null ;; esac
    done
}
"""

_FILES = """\
as_then() { # FACTS PATH
    read -r mode owner <"$1"
    [ "$(stat -Lc '%u:%g' "$2")" = "$owner" ] || chown -h "$owner" "$2"
    [ "$(stat -Lc '%a' "$2")" = "$mode" ] || chmod "$mode" "$2"
}
keys_back() {
    (
        enter || exit 0
        if [ ! -f "$guard/keys" ]; then
            as_user rm -f authorized_keys
        else
            content=$(cat "$guard/keys" && echo .)
            if [ "$(read_keys && echo .)" != "$content" ]; then
                read -r mode _ <"$guard/keys.meta"
                put_keys "$mode" "${content%.}"
            fi
            as_then "$guard/keys.meta" authorized_keys
        fi
        if [ -f "$guard/ssh" ]; then as_then "$guard/ssh" .; fi
        label .
    )
    [ -f "$guard/ssh" ] || rmdir "$home/.ssh" 2>/dev/null || :
}
dropin_back() {
    if [ ! -f "$guard/dropin" ]; then
        rm -f "$dropin"
    elif ! cmp -s "$guard/dropin" "$dropin"; then
        cp -p "$guard/dropin" "$dropin.stockade"
        mv -f "$dropin.stockade" "$dropin"
    fi
}
"""

BACK = f"""\
{SHADOW}{KEYS}{AS_USER}{END_PROCESSES}{_ENTRIES}{_FILES}
dropin_back
if [ -f "$guard/passwd" ]; then
    [ "$(getent passwd "$name")" = "$(cat "$guard/passwd")" ] || entry_back "$guard/passwd" ""
    [ "$(getent shadow "$name")" = "$(cat "$guard/shadow")" ] || entry_back "$guard/shadow" -s
    groups_back
    home=$(field 6) uid=$(field 3) gid=$(field 4)
    if [ -f "$guard/home" ] && [ -d "$home" ]; then
        keys_back
        as_then "$guard/home" "$home"
    fi
    [ "$(getent passwd "$name")" = "$(cat "$guard/passwd")" ]
    [ "$(getent shadow "$name")" = "$(cat "$guard/shadow")" ]
elif [ -n "$(field 1)" ]; then # it is the change that made it
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
"""

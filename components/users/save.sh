# Saves an account before a change that the host may roll back (hosts/guard). Runs when apply.sh arms the guard, and
# uses its functions.
#
# takes: name dropin guard kept ssh_state keys_state keys_trouble keys_found

if [ -f "$dropin" ]; then cp -p "$dropin" "$guard/dropin"; fi
if [ -f "$kept" ]; then : >"$guard/kept"; fi
getent group "$name" >"$guard/group" || :
if [ -n "$(field 1)" ]; then
    getent passwd "$name" >"$guard/passwd"
    getent shadow "$name" >"$guard/shadow"
    groups_of >"$guard/groups"
    home=$(field 6)
    uid=$(field 3) gid=$(field 4)
    if [ -d "$home" ]; then
        stat -Lc %a "$home" >"$guard/home"
        see_keys save
        printf '%s\n' "$ssh_state" >"$guard/ssh"
        printf '%s\n' "$keys_state" >"$guard/keys.meta"
        printf '%s' "$keys_trouble" >"$guard/keys.trouble"
        printf '%s' "$keys_found" >"$guard/keys"
    fi
fi

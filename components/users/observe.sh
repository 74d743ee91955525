# Facts about an account on the host.
#
# uses: hosts/system/distro.sh hosts/system/files.sh components/users/account.sh components/users/keys/keys.sh
# takes: name dropin admin_groups

account=$(getent passwd "$name") || account=
fits 65536 "the account $name" "$account" # Limit.ACCOUNT
section account printf '%s\n' "$account"
group=$(getent group "$name") || group=
fits 65536 "the group $name" "$group" # Limit.ACCOUNT
section group printf '%s\n' "$group"
begin sudo_group
for group in ${admin_groups:-wheel sudo}; do
    if getent group "$group" >/dev/null; then
        echo "$group"
        break
    fi
done
end
show_file dropin "$dropin"
if [ -n "$account" ]; then
    section groups groups_of
    section shadow shadow
    section sudo sudo -n -l -U "$name" || :
    home=$(nth 6 "$account") uid=$(nth 3 "$account") gid=$(nth 4 "$account")
    begin home
    [ ! -d "$home" ] || stat -Lc '%a %U %G' "$home"
    end
    see_keys look
    section ssh printf '%s\n' "$ssh_state"
    section keys.meta printf '%s\n' "$keys_state" "$home/.ssh/authorized_keys"
    section keys.trouble printf '%s\n' "$keys_trouble"
    section keys.content printf '%s' "$keys_found"
fi

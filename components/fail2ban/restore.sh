# Restores fail2ban: our file is removed, or replaced by the prior one; the service is as it was.
#
# uses: hosts/system/files.sh hosts/system/services.sh components/fail2ban/jail_local.sh components/fail2ban/server.sh
# takes: dropin jails prior_enabled prior_active

banned=$(bans)
stop_jails "$jails"
restore_file prior "$dropin"
if grep -qs '^# >>> Stockade' "$local"; then
    [ -f "$dropin" ] || write_local "$local"
    rmdir "${dropin%/*}" 2>/dev/null || :
fi
if running && [ "$prior_active" = active ]; then
    fail2ban-client reload >/dev/null || svc_restart fail2ban
    put_bans_back
fi
if [ "$(svc_enabled fail2ban)" != "" ]; then
    svc_restore fail2ban "$prior_enabled" "$prior_active"
fi

# Who emptied the rules. The boot file dates from the last time the rules were loaded. Whatever started since may have
# emptied them, most likely a unit that loads or flushes rules.
#
# cause SAVED    prints `emptied`, then `RANK UNIT TIME` of what started or stopped since; nothing if the rules are
#                still in force
# takes: boot boot_unit

cause() { # SAVED
    ! printf '%s\n' "$1" | grep -Eq '^-A INPUT .*-j (ACCEPT|DROP|REJECT)' || return 0
    grep -qs '^# Written by Stockade' "$boot" && grep -qs '^-A INPUT' "$boot" || return 0
    echo emptied
    [ -d /run/systemd/system ] && _loaded=$(stat -c %Y "$boot" 2>/dev/null) || return 0
    TZ=UTC systemctl show -p Id -p ExecStart -p ExecReload -p StateChangeTimestamp '*.service' 2>/dev/null |
        own="$boot_unit.service" awk 'BEGIN { own = ENVIRON["own"] }
        function told() {
            if (id != "" && time != "" && id != own && id !~ /^(systemd-|user|session|ssh|sshd|getty|stockade|run-)/)
                print (exec ~ /(nft|ip6?tables|netfilter|firewall|ufw)/ ? 1 : 2), id, time
        }
        /^Id=/ { id = substr($0, 4) }
        /^Exec(Start|Reload)=/ { exec = exec $0 }
        /^StateChangeTimestamp=./ { time = substr($0, 22) }
        /^$/ { told(); id = time = exec = "" }
        END { told() }' | while read -r _rank _unit _time; do
        [ "$(date -d "$_time" +%s 2>/dev/null || echo 0)" -ge "$_loaded" ] || continue
        echo "$_rank $_unit $(date -u -d "$_time" +%Y-%m-%dT%H:%M:%SZ)"
    done | sort | head -n 5
}

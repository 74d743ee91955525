# Facts about fail2ban: our file, its unit, the replies of each declared jail, and the files of others; the
# running jails if none is declared.
#
# uses: hosts/system/files.sh hosts/system/services.sh components/fail2ban/client.sh
# takes: dropin jails

show_file dropin "$dropin"
set -- /etc/fail2ban/jail.conf /etc/fail2ban/jail.d/*.conf /etc/fail2ban/jail.local /etc/fail2ban/jail.d/*.local
small "$@"
unit=$(svc_state fail2ban)
section unit echo "$unit"
begin local
local=/etc/fail2ban/jail.local
if [ -f "$local" ] && sed '/^# >>> Stockade/,/^# <<< Stockade/d' "$local" | grep -q .; then echo "$local"; fi
for file in /etc/fail2ban/jail.d/*.local; do [ ! -e "$file" ] || echo "$file"; done
end
begin ignored
for file in "$@"; do # fail2ban reads these; it would block on a pipe forever
    [ ! -f "$file" ] || [ "$file" = "$dropin" ] || path="$file" awk 'BEGIN { path = ENVIRON["path"] }
        /^[^ \t]/ { inside = /^ignoreip[ \t]*[=:]/ }
        inside && !/^[ \t]*[#;]/ { gsub(/[ \t]+/, " "); print path ": " $0 }' "$file" 2>/dev/null || :
done
end
begin jails
if command -v fail2ban-client >/dev/null && [ "${unit##* }" = active ]; then
    for jail in $jails; do
        for value in maxretry findtime bantime ignoreip; do printf 'get %s %s\n' "$jail" "$value"; done
        printf 'status %s\n' "$jail" # fail2ban before 0.11 shows bans nowhere else
    done | f2b_ask 2>/dev/null || :
fi
end
begin running
if command -v fail2ban-client >/dev/null && [ "${unit##* }" = active ] && [ -z "$jails" ]; then
    echo status | f2b_ask 2>/dev/null || :
fi
end
begin jumps
for tool in iptables ip6tables; do
    ! command -v "$tool" >/dev/null || "$tool" -S 2>/dev/null |
        sed -n "s/^-A .* -j \(f2b\|fail2ban\)-\(.*\)/$tool \2/p"
done
end

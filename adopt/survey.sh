# What a host has before anybody declares anything: its name, who may log in or use sudo, and what its sshd was shipped
# with.
#
# uses: components/sshd/daemon.sh hosts/system/distro.sh hosts/system/as_user.sh

section name uname -n
section boot cat /proc/sys/kernel/random/boot_id
section distro printf '%s\n' "$distro" "$distro_version" "$family"
accounts() { # lines of NAME:UID:SHELL:HOME
    getent passwd | awk -F: '$3 >= 1000 && $3 < 60000 { print $1 ":" $3 ":" $7 ":" $6 }'
    # system accounts that somebody logs in with
    getent passwd | awk -F: '$3 > 0 && $3 < 1000' | while IFS=: read -r user _ uid _ _ home shell; do
        [ ! -e "$home/.ssh/authorized_keys" ] || echo "$user:$uid:$shell:$home"
    done
    for group in $admin_groups sudo wheel; do
        getent group "$group" | cut -d : -f 4 | tr , '\n'
    done | sort -u | while IFS= read -r member; do
        [ -z "$member" ] || getent passwd "$member" | awk -F: '{ print $1 ":" $3 ":" $7 ":" $6 }'
    done
}
people=$(accounts | sort -u | head -n 200)
section accounts printf '%s\n' "$people"
begin notes # USER WHAT: a key that sshd no longer accepts; what sudo allows
patience=5
printf '%s\n' "$people" | while IFS=: read -r name uid _ home; do
    [ -n "$name" ] || continue
    gid=$(id -g "$name" 2>/dev/null) || continue
    if [ -f "$home/.ssh/authorized_keys" ] && as_user head -c 262144 "$home/.ssh/authorized_keys" 2>/dev/null </dev/null |
        grep -q 'ssh-dss AAAA'; then echo "$name ssh-dss"; fi
    sudo -n -l -U "$name" 2>/dev/null </dev/null | sed -n 's/^ \{1,\}(/(/p' | head -n 5 | cut -c 1-200 |
        while IFS= read -r rule; do printf '%s sudo %s\n' "$name" "$rule"; done
done
end
section forwards cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding 2>/dev/null
begin chains
{
    iptables-save || :
    ip6tables-save || :
} 2>/dev/null | sed -n 's/^:\([^ ]*\) - .*/\1/p' | sort -u | head -n 500
end
if (find_sshd) >/dev/null 2>&1; then
    find_sshd
    shipped=/usr/share/openssh/sshd_config
    [ -f "$shipped" ] || shipped=/dev/null
    begin shipped
    # without the drop-ins of this host
    grep -vi '^[[:space:]]*include' "$shipped" | sshd -T -f /dev/stdin -C "user=root,$spec" 2>/dev/null |
        small_keywords || :
    end
    begin effective
    # shellcheck disable=SC2086 # options
    sshd -T $opts -f "$main" -C "user=root,$spec" 2>/dev/null | small_keywords || :
    end
    begin matches
    grep -hiE '^[[:space:]]*match[[:space:]]' "$main" /etc/ssh/sshd_config.d/*.conf 2>/dev/null | head -n 50 || :
    end
fi

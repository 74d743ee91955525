# Everything that must be the same before and after: files by mode, owner, size, time and content; rules; kernel
# settings; packages; services; who can log in. Standard tools only.
part() { echo "## $1"; }
part files
# apart from what the host itself writes all the time, that rpm and sudo note who used them, and Stockade's records
find /etc /usr/local /home /root /srv /var/lib /var/spool/cron -xdev \( -path /var/lib/stockade -o -path /srv/apt -o \
    -path /srv/rpm -o -path /srv/then -o -path /srv/pacman -o -path /var/lib/systemd -o -path /var/lib/private -o \
    -path /var/lib/ntpsec -o -path /var/lib/chrony -o -name 'fail2ban.sqlite3*' -o -name '*.sqlite-shm' -o \
    -name history.sqlite -o -name .sudo_as_admin_successful \) -prune -o \
    -printf '%y %m %U:%G %s %T@ %p %l\n' | awk '$1 == "d" { $4 = "-"; if ($6 == "/var/lib" || $6 ~ "^/home/[^/]*$") $5 = "-" } { print }' | sort -k 6
find /etc /usr/local /home /root /var/lib -xdev \( -path /var/lib/stockade -o -path /var/lib/systemd -o \
    -path /var/lib/ntpsec -o -path /var/lib/chrony -o -name 'fail2ban.sqlite3*' -o -name '*.sqlite-shm' -o -name .sudo_as_admin_successful \) -prune -o -type f -print0 |
    xargs -0 sha256sum | sort -k 2
part rules
{ iptables-save && ip6tables-save; } | sed '/^#/d; s/\[[0-9]*:[0-9]*\]//'
! command -v nft >/dev/null || nft -s list ruleset 2>/dev/null
! command -v ipset >/dev/null || ipset save | sed 's/ timeout [0-9]*$//'
part kernel
sysctl -a 2>/dev/null | grep -E '^(net|kernel|vm|fs)[.]' |
    grep -Ev 'random|nf_conntrack_count|(dentry|file|inode)-(nr|state)|ns_last_pid|nr_|neigh|pty[.]nr|quota[.]syncs|route[.]flush|cpu'
part packages
{ dpkg-query -W || rpm -qa || pacman -Q; } 2>/dev/null | sort
{ apt-mark showauto || dnf -q repoquery --installed --qf '%{name} %{reason}\n' || pacman -Qqe; } 2>/dev/null | sort
part services
systemctl list-unit-files --no-legend --no-pager 2>/dev/null | awk '{ print $1, $2 }' | sort
systemctl list-units --type=service,socket,timer --no-legend --no-pager --plain 2>/dev/null |
    awk '!/^(session|user|run-|apt-daily|dpkg-db|systemd-tmpfiles|e2scrub|fstrim|logrotate|man-db|dnf)/ { print $1, $3, $4 }' |
    sort
find /etc/rc*.d -type l 2>/dev/null | sort
for process in fail2ban-server sshd rpcbind crond cron chronyd ntpd exim4 rsyslogd firewalld; do
    echo "$process $(pgrep -o -x "$process")" # the same process: it was not restarted
done
part listening
ss -tuln | sed 1d | awk '{ print $1, $5 }' | sort
part logins
getent passwd
getent shadow
getent group
for user in $(getent passwd | awk -F: '$3 >= 1000 { print $1 }'); do sudo -n -l -U "$user" 2>/dev/null; done
sshd -T 2>/dev/null | sort
fail2ban-client status 2>/dev/null

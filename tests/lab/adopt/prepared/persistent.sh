# Debian whose rules netfilter-persistent loads; root cannot log in, the admin's sudo asks for a password.
install iptables-persistent sudo unattended-upgrades cron chrony
person ops sudo
echo 'ops:lab sudo password' | chpasswd
person guest '' -k /dev/null
printf '%s\n' 'PermitRootLogin no' 'PasswordAuthentication no' 'KbdInteractiveAuthentication no' 'X11Forwarding no' \
    'ClientAliveInterval 300' 'AllowGroups sudo guest' >/etc/ssh/sshd_config.d/00-hard.conf
systemctl reload ssh
for tool in iptables ip6tables; do
    $tool -A INPUT -i lo -j ACCEPT
    $tool -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
    $tool -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
    $tool -A INPUT -p tcp -m tcp --dport 443 -j ACCEPT
    $tool -A INPUT -p udp -m udp --dport 51820 -j ACCEPT
done
iptables -A INPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT
ip6tables -A INPUT -p ipv6-icmp -j ACCEPT
for tool in iptables ip6tables; do
    $tool -P INPUT DROP
    $tool -P FORWARD DROP
done
iptables-save >/etc/iptables/rules.v4
ip6tables-save >/etc/iptables/rules.v6
printf 'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n' >/etc/apt/apt.conf.d/20auto-upgrades

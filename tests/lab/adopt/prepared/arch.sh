# Arch: simple stateful firewall, loaded by iptables.service; a Match block for SFTP.
for tool in iptables ip6tables; do
    $tool -N TCP
    $tool -N UDP
    $tool -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    $tool -A INPUT -i lo -j ACCEPT
    $tool -A INPUT -m conntrack --ctstate INVALID -j DROP
    $tool -A INPUT -p udp -m conntrack --ctstate NEW -j UDP
    $tool -A INPUT -p tcp --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j TCP
    $tool -A INPUT -p tcp -j REJECT --reject-with tcp-reset
    $tool -A TCP -p tcp --dport 22 -j ACCEPT
done
iptables -A INPUT -j REJECT --reject-with icmp-proto-unreachable
ip6tables -A INPUT -p ipv6-icmp -j ACCEPT
for tool in iptables ip6tables; do
    $tool -P INPUT DROP
    $tool-save >/etc/iptables/$tool.rules
    systemctl -q enable --now $tool
done
printf '%s\n' 'Match Group sftponly' '    ChrootDirectory %h' '    ForceCommand internal-sftp' >>/etc/ssh/sshd_config
groupadd sftponly
person vendor sftponly
person admin wheel
sed -i 's/^# *\(%wheel ALL=(ALL:ALL) ALL\)/\1/' /etc/sudoers
grep -q '^%wheel' /etc/sudoers || echo '%wheel ALL=(ALL:ALL) ALL' >>/etc/sudoers
echo 'admin:lab sudo password' | chpasswd
systemctl reload sshd

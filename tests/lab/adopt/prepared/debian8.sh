# Debian 8: iptables-persistent, jails of its own, SFTP users in a chroot.
install iptables-persistent fail2ban sudo
iptables -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
iptables -A INPUT -i lo -j ACCEPT
iptables -A INPUT -p tcp --dport 22 -j ACCEPT
iptables -A INPUT -j REJECT
iptables-save >/etc/iptables/rules.v4
ip6tables-save >/etc/iptables/rules.v6
printf '[ssh]\nenabled = true\nmaxretry = 3\nfindtime = 300\n' >/etc/fail2ban/jail.local
service fail2ban restart
person admin sudo
echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin
chmod 440 /etc/sudoers.d/admin
groupadd sftponly
person vendor sftponly
sed -i 's/^#*PermitRootLogin .*/PermitRootLogin without-password/' /etc/ssh/sshd_config
printf '%s\n' 'Match Group sftponly' '    ChrootDirectory %h' '    ForceCommand internal-sftp' >>/etc/ssh/sshd_config
service ssh reload

# CentOS 6: SysV init, rules that the iptables service loads, yum-cron.
install yum-cron fail2ban
cat >/etc/sysconfig/iptables <<'END'
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
-A INPUT -p tcp -m tcp --dport 111 -s 192.0.2.0/24 -j ACCEPT
COMMIT
END
service iptables restart
chkconfig yum-cron on
service yum-cron start
printf '[ssh-iptables]\nenabled = true\nmaxretry = 4\n[sshd]\nenabled = true\nmaxretry = 4\n' >/etc/fail2ban/jail.local
printf '[Init]\nlockingopt =\n' >/etc/fail2ban/action.d/iptables.local # iptables 1.4.7 has no -w
chkconfig fail2ban on
service fail2ban start
person wheelie wheel
echo '%wheel ALL=(ALL) NOPASSWD: ALL' >>/etc/sudoers
printf 'net.ipv4.conf.all.accept_redirects = 0\n' >>/etc/sysctl.conf
sysctl -q -w net.ipv4.conf.all.accept_redirects=0

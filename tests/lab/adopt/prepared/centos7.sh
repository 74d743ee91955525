# CentOS 7 without firewalld: rc.local loads the rules, yum-cron installs updates.
systemctl -q stop firewalld
systemctl -q disable firewalld
install yum-cron fail2ban-server
touch /var/log/secure
cat >/etc/house-firewall <<'END'
iptables -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
iptables -A INPUT -i lo -j ACCEPT
iptables -A INPUT -p tcp --dport 22 -m limit --limit 30/min --limit-burst 50 -j ACCEPT
iptables -A INPUT -p tcp -m tcp --dport 8000:8100 -s 192.0.2.0/24 -j ACCEPT
iptables -P INPUT DROP
END
sh -e /etc/house-firewall
mkdir -p /etc/rc.d
printf '#!/bin/sh\nsh /etc/house-firewall\n' >>/etc/rc.d/rc.local
chmod 755 /etc/rc.d/rc.local
sed -i 's/^apply_updates.*/apply_updates = yes/; s/^update_cmd.*/update_cmd = security/' /etc/yum/yum-cron.conf
systemctl -q enable yum-cron
systemctl -q start yum-cron
printf '[DEFAULT]\nbantime = 7200\n[sshd]\nenabled = true\n' >/etc/fail2ban/jail.local
systemctl -q enable fail2ban
systemctl -q start fail2ban
person wheelie wheel
echo 'wheelie:lab sudo password' | chpasswd
sed -i 's/^#*LogLevel .*/LogLevel VERBOSE/' /etc/ssh/sshd_config
grep -q '^LogLevel' /etc/ssh/sshd_config || sed -i '1i LogLevel VERBOSE' /etc/ssh/sshd_config
systemctl reload sshd

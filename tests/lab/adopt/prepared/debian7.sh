# Debian 7: SysV init, rules from a script in if-pre-up.d, an old fail2ban.
install fail2ban sudo unattended-upgrades
mkdir -p /etc/network/if-pre-up.d
cat >/etc/network/if-pre-up.d/firewall <<'END'
#!/bin/sh
iptables -A INPUT -i lo -j ACCEPT
iptables -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
iptables -A INPUT -p tcp --dport 22 -j ACCEPT
iptables -A INPUT -p tcp --dport 80 -j ACCEPT
iptables -A INPUT -j DROP
END
chmod 755 /etc/network/if-pre-up.d/firewall
sh -e /etc/network/if-pre-up.d/firewall
printf '[ssh]\nenabled = true\nmaxretry = 4\nbantime = 1200\n' >/etc/fail2ban/jail.local
service fail2ban restart
printf 'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n' >/etc/apt/apt.conf.d/20auto-upgrades
person admin sudo
echo 'admin:lab sudo password' | chpasswd
sed -i 's/^#*ClientAliveInterval .*//' /etc/ssh/sshd_config
sed -i '1i ClientAliveInterval 120' /etc/ssh/sshd_config
service ssh reload

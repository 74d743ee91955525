# Debian with ufw, an sshd on two ports with Match blocks, and every kind of account.
install ufw sudo fail2ban python3-systemd unattended-upgrades cron
person alice sudo
echo 'alice:lab sudo password' | chpasswd
person bob '' -c 'Bob "the builder" # \ $(id)'
echo 'bob ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/90-bob
chmod 440 /etc/sudoers.d/90-bob
person carol sudo
chage -E 2020-01-01 carol
person dave ''
usermod -L dave
person erin ''
echo 'erin ALL=(ALL) NOPASSWD: /usr/bin/systemctl restart nginx, /usr/bin/less /var/log/*' >/etc/sudoers.d/erin
useradd -r -m -d /srv/deploy -s /bin/sh deploy
usermod -aG adm deploy
printf 'no-pty,command="/bin/true" %s\n' "$(cat /root/.ssh/authorized_keys)" >/srv/deploy/key
mkdir -m 700 /srv/deploy/.ssh
mv /srv/deploy/key /srv/deploy/.ssh/authorized_keys
chown -R deploy /srv/deploy/.ssh

ufw default deny incoming
ufw limit 22/tcp comment 'ssh: six a minute'
ufw limit 2222/tcp
ufw allow proto tcp from 192.0.2.0/24 to any port 5432
ufw allow in on eth0 to any port 443 proto tcp
ufw deny from 203.0.113.66
ufw logging medium
ufw --force enable
cat >/etc/ssh/sshd_config.d/10-house.conf <<'END'
Port 22
Port 2222
MaxAuthTries 4
AllowUsers root alice bob carol dave erin deploy
Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com
Banner /etc/issue.net
Match User deploy
    AllowTcpForwarding no
Match Address 192.0.2.0/24,2001:db8:1::/48
    MaxAuthTries 2
END
systemctl reload ssh
cat >/etc/fail2ban/jail.local <<'END'
[DEFAULT]
backend = systemd
bantime = 1h
bantime.increment = true
ignoreip = 127.0.0.1/8 ::1 192.0.2.0/24 198.51.100.0/24
[sshd]
mode = aggressive
port = 22,2222
maxretry = 4
END
systemctl restart fail2ban
cat >/etc/apt/apt.conf.d/52house <<'END'
Unattended-Upgrade::Origins-Pattern { "site=packages.example.org"; "origin=Debian,codename=${distro_codename}-updates"; };
Unattended-Upgrade::Mail "root@example.org";
Unattended-Upgrade::MailReport "only-on-error";
Unattended-Upgrade::Automatic-Reboot "true";
Unattended-Upgrade::Automatic-Reboot-Time "04:30";
END
printf 'net.ipv4.ip_forward = 1\nnet.ipv4.conf.all.rp_filter = 2\n# a comment\nnet.ipv4.tcp_syncookies=0\n' \
    >/etc/sysctl.d/60-house.conf
sysctl -q -p /etc/sysctl.d/60-house.conf

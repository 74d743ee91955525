# Ubuntu as in a cloud: its user has no password and a key, ssh.socket listens on another port, ufw is active.
mkdir -m 700 /home/ubuntu/.ssh
cp /root/.ssh/authorized_keys /home/ubuntu/.ssh/authorized_keys
chmod 600 /home/ubuntu/.ssh/authorized_keys
chown -R ubuntu: /home/ubuntu/.ssh
usermod -p '!' ubuntu
sed -i 's/^#*Port .*/Port 2202/' /etc/ssh/sshd_config
grep -q '^Port 2202' /etc/ssh/sshd_config || sed -i '1i Port 2202' /etc/ssh/sshd_config
systemctl daemon-reload
systemctl restart ssh.socket
ufw allow 2202/tcp
ufw --force enable
install unattended-upgrades cron

# Fedora with dnf 5: its own automatic updates, and sshd settings beside the distribution's.
systemctl -q disable --now firewalld
install dnf5-plugin-automatic
mkdir -p /etc/dnf
printf '[commands]\napply_updates = yes\nupgrade_type = default\nreboot = when-needed\n[emitters]\nemit_via = stdio\n' \
    >/etc/dnf/automatic.conf
systemctl -q enable --now dnf5-automatic.timer
printf 'PasswordAuthentication no\nAuthenticationMethods publickey\nPermitRootLogin prohibit-password\n' \
    >/etc/ssh/sshd_config.d/10-house.conf
systemctl reload sshd
person wheelie wheel
echo 'wheelie:lab sudo password' | chpasswd

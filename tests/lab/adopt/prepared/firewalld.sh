# Debian with firewalld: zones, services, rich rules.
install firewalld sudo dbus
systemctl -q enable --now firewalld
firewall-cmd -q --permanent --new-zone=office
firewall-cmd -q --permanent --zone=office --add-source=192.0.2.0/24
firewall-cmd -q --permanent --zone=office --add-service=postgresql
firewall-cmd -q --permanent --zone=public --add-service=https
firewall-cmd -q --permanent --zone=public --add-port=8443/tcp
firewall-cmd -q --permanent --zone=public --add-rich-rule='rule family=ipv4 source address=203.0.113.0/24 reject'
firewall-cmd -q --permanent --zone=public --add-rich-rule='rule service name=http limit value=3/m accept'
firewall-cmd -q --permanent --zone=public --add-masquerade
firewall-cmd -q --reload
person admin sudo

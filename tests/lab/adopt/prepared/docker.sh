# Debian with rules of its own that a script loads before the network, chains as Docker makes them, and ipsets.
install sudo ipset fail2ban python3-systemd
person ops sudo
echo '%sudo ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops
chmod 440 /etc/sudoers.d/ops
ip link add docker0 type bridge
ip address add 172.17.0.1/16 dev docker0
ip link set docker0 up
mkdir -p /usr/local/sbin
cat >/usr/local/sbin/firewall <<'END'
#!/bin/sh
set -e
ipset create friends hash:net family inet
ipset add friends 192.0.2.0/24
ipset add friends 198.51.100.0/24
ipset create noisy hash:ip timeout 3600
ipset add noisy 203.0.113.9
iptables -P INPUT DROP
iptables -A INPUT -i lo -j ACCEPT
iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A INPUT -m set --match-set noisy src -j DROP
iptables -N ssh-in
iptables -A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j ssh-in
iptables -A ssh-in -m set --match-set friends src -j ACCEPT
iptables -A ssh-in -m recent --name ssh --update --seconds 60 --hitcount 5 -j DROP
iptables -A ssh-in -m recent --name ssh --set -j ACCEPT
iptables -A INPUT -p tcp -m multiport --dports 80,443 -m comment --comment 'web: "all" \ of # it' -j ACCEPT
iptables -A INPUT -m limit --limit 3/min -j LOG --log-prefix 'dropped: '
ip6tables -P INPUT DROP
ip6tables -A INPUT -i lo -j ACCEPT
ip6tables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
ip6tables -A INPUT -p ipv6-icmp -j ACCEPT
ip6tables -A INPUT -p tcp --dport 22 -j ACCEPT
iptables -N DOCKER
iptables -N DOCKER-ISOLATION-STAGE-1
iptables -N DOCKER-ISOLATION-STAGE-2
iptables -N DOCKER-USER
iptables -P FORWARD DROP
iptables -A FORWARD -j DOCKER-USER
iptables -A FORWARD -j DOCKER-ISOLATION-STAGE-1
iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A FORWARD -o docker0 -j DOCKER
iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
iptables -A FORWARD -i docker0 -o docker0 -j ACCEPT
iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp --dport 80 -j ACCEPT
iptables -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
iptables -A DOCKER-ISOLATION-STAGE-1 -j RETURN
iptables -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
iptables -A DOCKER-ISOLATION-STAGE-2 -j RETURN
iptables -A DOCKER-USER -j RETURN
iptables -t nat -N DOCKER
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables -t nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
iptables -t nat -A DOCKER -i docker0 -j RETURN
iptables -t nat -A DOCKER ! -i docker0 -p tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
END
chmod 755 /usr/local/sbin/firewall
printf '[Unit]\nDefaultDependencies=no\nBefore=network-pre.target\n[Service]\nType=oneshot\nExecStart=%s\n%s\n' \
    /usr/local/sbin/firewall '[Install]
WantedBy=multi-user.target' >/etc/systemd/system/house-firewall.service
systemctl -q enable house-firewall.service
/usr/local/sbin/firewall
cat >/etc/fail2ban/filter.d/house.conf <<'END'
[Definition]
failregex = ^.* refused for <HOST>$
END
touch /var/log/house.log
cat >/etc/fail2ban/jail.d/house.conf <<'END'
[sshd]
backend = systemd
[house]
enabled = true
filter = house
logpath = /var/log/house.log
maxretry = 2
findtime = 90
bantime = 1d
port = 80,443
END
systemctl restart fail2ban

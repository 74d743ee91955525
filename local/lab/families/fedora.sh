# Fedora: dnf and rpm, sshd.service, wheel, firewalld active, rules in /etc/sysconfig; what differs was set before.
daily_unit() { # PACKAGE UNIT COMMAND: a timer and the service that it starts
    written "$1" "/usr/lib/systemd/system/$2.timer" <<END
[Unit]
Description=$2 timer
ConditionPathExists=!/run/ostree-booted
Wants=network-online.target

[Timer]
OnCalendar=*-*-* 6:00
RandomizedDelaySec=60m
Persistent=true

[Install]
WantedBy=timers.target
END
    written "$1" "/usr/lib/systemd/system/$2.service" <<END
[Unit]
Description=$2
ConditionPathExists=!/run/ostree-booted

[Service]
Type=oneshot
ExecStart=$3
END
}
mkdir -p /srv/rpm /etc/sysconfig
cat >/usr/lib/os-release <<END
NAME="Fedora Linux"
VERSION="$release (Server Edition)"
ID=fedora
VERSION_ID=$release
PLATFORM_ID="platform:f$release"
PRETTY_NAME="Fedora Linux $release (Server Edition)"
VARIANT_ID=server
END
echo "Fedora release $release ($in_words)" >/etc/fedora-release
ln -s fedora-release /etc/redhat-release
echo 'OPTIONS=' >/etc/sysconfig/sshd
other_names
sed -i 's/^%sudo.*/%wheel ALL=(ALL) ALL/' /etc/sudoers
mv /etc/ssh/sshd_config.d/50-provider.conf /etc/ssh/sshd_config.d/40-provider.conf
printf 'KbdInteractiveAuthentication no\nUsePAM yes\nX11Forwarding yes\n' >/etc/ssh/sshd_config.d/50-redhat.conf
mkdir -p /usr/lib/systemd/system-preset
printf 'enable sshd.service\nenable firewalld.service\nenable rpcbind.socket\n' \
    >/usr/lib/systemd/system-preset/90-default.preset
printf 'disable *\n' >/usr/lib/systemd/system-preset/99-default-disable.preset

# Registered, with some of their files: what the root has already.
adopted fedora-release /usr/lib/os-release /etc/fedora-release /etc/redhat-release
make_rpm fedora-release "$release-1" "Provides: system-release = $release" "Provides: system-release(releasever) = $release"
adopted glibc /usr/lib/x86_64-linux-gnu/libc.so.6
make_rpm glibc 2.39-6
adopted bash /usr/bin/bash
make_rpm bash 5.2.26-3 'Requires: glibc' 'Provides: /bin/sh'
adopted systemd /usr/lib/systemd/systemd /usr/bin/systemctl
make_rpm systemd 255.4-1 'Requires: glibc'
adopted python3 /usr/bin/python3.1?
make_rpm python3 3.12.2-2 'Requires: glibc'
adopted shadow-utils /usr/sbin/useradd /usr/sbin/usermod /usr/sbin/userdel
make_rpm shadow-utils 4.15.1-2 'Epoch: 2' 'Requires: glibc'
adopted iproute /usr/bin/ip /usr/bin/ss
make_rpm iproute 6.7.0-1 'Requires: glibc'
adopted openssh /usr/bin/ssh-keygen
make_rpm openssh 9.6p1-1 'Requires: glibc'
adopted openssh-server /usr/sbin/sshd /etc/ssh/sshd_config /usr/lib/systemd/system/sshd.service /etc/sysconfig/sshd \
    /etc/ssh/sshd_config.d/50-redhat.conf
make_rpm openssh-server 9.6p1-1 'Requires: openssh' 'Requires: systemd'
adopted sudo /usr/bin/sudo /usr/sbin/visudo /etc/sudoers
make_rpm sudo 1.9.15-3.p5 'Requires: glibc'
adopted iptables-nft /usr/sbin/xtables-nft-multi
make_rpm iptables-nft 1.8.10-7 'Requires: glibc' 'Provides: iptables'
adopted rpm /usr/bin/rpm
make_rpm rpm 4.19.1-1 'Requires: glibc'
manager
# firewalld: its unit's name and what a host with it is like to others; not firewalld itself
written firewalld /etc/firewalld/lab.nft <<'END'
table inet firewalld {
    chain filter_INPUT {
        type filter hook input priority 10; policy accept;
        ct state established,related accept
        iif lo accept
        meta l4proto { icmp, icmpv6 } accept
        tcp dport 22 accept
        reject with icmpx admin-prohibited
    }
}
END
written firewalld /usr/lib/systemd/system/firewalld.service <<'END'
[Unit]
Description=firewalld - dynamic firewall daemon
Before=network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/firewalld/lab.nft
ExecStop=/usr/sbin/nft delete table inet firewalld

[Install]
WantedBy=multi-user.target
Alias=dbus-org.fedoraproject.FirewallD1.service
END
unit_scripts firewalld firewalld.service
make_rpm firewalld 2.1.1-1
unpacked rpcbind rpcbind
rm -rf /build/rpcbind/usr/share
unit_scripts rpcbind rpcbind.service rpcbind.socket
{
    echo '%pre'
    echo 'getent passwd _rpc >/dev/null || useradd -r -d /run/rpcbind -s /usr/sbin/nologin _rpc'
} >>/build/rpcbind.scripts
make_rpm rpcbind 1.2.6-4 'Requires: glibc' 'Requires: libtirpc'
echo 'in its place: the library itself is part of the root' | written libtirpc /usr/lib/libtirpc.lab
make_rpm libtirpc 1.3.4-1 'Requires: glibc'

# To be installed by the chapters.
for tool in iptables ip6tables; do
    iptables_service iptables-services "$tool" "/etc/sysconfig/$tool"
    case $tool in iptables) icmp=icmp ;; *) icmp=ipv6-icmp ;; esac
    sample_rules iptables-services "$tool" "$icmp"
done
unit_scripts iptables-services iptables.service ip6tables.service
make_rpm iptables-services 1.8.10-7 'Requires: iptables' 'Requires: systemd'
unpacked python3-systemd python3-systemd
make_rpm python3-systemd 235-8 'Requires: python3'
unpacked fail2ban-server fail2ban
rm -rf /build/fail2ban-server/etc/fail2ban/jail.d /build/fail2ban-server/etc/logrotate.d
unit_scripts fail2ban-server fail2ban.service
make_rpm fail2ban-server 1.0.2-9 'Requires: python3' 'Requires: python3-systemd' 'Requires: iptables'
automatic
mkdir -p /build/fail2ban /build/net-tools
make_rpm fail2ban 1.0.2-9 'Requires: fail2ban-server' 'Requires: firewalld'
unpacked net-tools net-tools
make_rpm net-tools 2.0-0 'Requires: glibc'

createrepo_c -q /srv/rpm
rm -rf /etc/yum.repos.d/*
mkdir -p /etc/yum.repos.d
cat >/etc/yum.repos.d/fedora.repo <<'END'
[fedora]
name=Fedora, as far as the lab needs it
baseurl=file:///srv/rpm
enabled=1
gpgcheck=0
END
dnf -y -q --setopt=tsflags=justdb install fedora-release glibc bash systemd python3 shadow-utils iproute openssh \
    openssh-server sudo iptables-nft rpm $registered </dev/null
dnf -y -q install firewalld rpcbind </dev/null
systemctl -q enable firewalld.service rpcbind.socket rpcbind.service
no_debian

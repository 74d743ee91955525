# CentOS 7: systemd 219, yum 3.4.3, firewalld active, OpenSSH 7.4, iptables 1.4.21.
as_centos 7 9 Linux
cat >/usr/lib/os-release <<'END'
NAME="CentOS Linux"
VERSION="7 (Core)"
ID="centos"
ID_LIKE="rhel fedora"
VERSION_ID="7"
PRETTY_NAME="CentOS Linux 7 (Core)"
CPE_NAME="cpe:/o:centos:centos:7"
END
make_rpm iptables 1.4.21-35 'Requires: glibc'
old_yum 3.4.3 '--downloadonly | --assumeno' autoremove
forgotten fedora-release python3 iptables-nft dnf
registered centos-release python iptables yum
old_sshd 7.4p1 'include casignaturealgorithms exposeauthinfo hostbasedacceptedalgorithms pubkeyacceptedalgorithms
 permitlisten persourcemaxstartups persourcenetblocksize pubkeyauthoptions securitykeyprovider setenv requiredrsasize'
old_sshd_config
old_iptables 1.4.21 '--wait-interval*'
without_option /usr/bin/tar --verbatim-files-from
without_option /usr/bin/systemd-run --collect
without_option /usr/bin/systemctl --now

# To be installed by the chapters.
for tool in iptables ip6tables; do
    iptables_service iptables-services "$tool" "/etc/sysconfig/$tool"
    case $tool in iptables) icmp=icmp ;; *) icmp=ipv6-icmp ;; esac
    sample_rules iptables-services "$tool" "$icmp"
done
sed -i 's/ -w 5//' /build/iptables-services/usr/lib/systemd/system/*.service
unit_scripts iptables-services iptables.service ip6tables.service
make_rpm iptables-services 1.4.21-35 'Requires: iptables' 'Requires: systemd'
unpacked systemd-python python3-systemd
make_rpm systemd-python 219-78 'Requires: python'
fail2ban_files fail2ban-server
unit_scripts fail2ban-server fail2ban.service
make_rpm fail2ban-server 0.11.2-3 'Requires: python' 'Requires: iptables'
mkdir -p /build/fail2ban
make_rpm fail2ban 0.11.2-3 'Requires: fail2ban-server' 'Requires: firewalld'
written yum-cron /usr/lib/systemd/system/yum-cron.service <<'END'
[Unit]
Description=Run automatic yum updates as a cron job

[Service]
Type=oneshot
RemainAfterExit=true
ExecStartPre=/bin/mkdir -p /var/lock/subsys
ExecStart=/bin/touch /var/lock/subsys/yum-cron
ExecStop=/bin/rm -f /var/lock/subsys/yum-cron

[Install]
WantedBy=multi-user.target
END
written yum-cron /etc/yum/yum-cron.conf <<'END'
[commands]
#  What kind of update to use
update_cmd = default
update_messages = yes
download_updates = yes
apply_updates = no
random_sleep = 360

[emitters]
system_name = None
emit_via = stdio
output_width = 80

[email]
email_from = root@localhost
email_to = root
email_host = localhost

[groups]
group_list = None
group_package_types = mandatory, default

[base]
debuglevel = -2
mdpolicy = group:main
END
written yum-cron /etc/cron.daily/0yum-daily.cron 755 <<'END'
#!/bin/sh
[ -f /var/lock/subsys/yum-cron ] || exit 0
exec /usr/sbin/yum-cron
END
written yum-cron /usr/sbin/yum-cron 755 <<'END'
#!/bin/sh
# applies all updates where its file says so: as far as the lab needs it
! grep -q '^apply_updates = yes' "${1:-/etc/yum/yum-cron.conf}" || exec yum -y -q update
END
unit_scripts yum-cron yum-cron.service
make_rpm yum-cron 3.4.3-168 'Requires: yum' 'Requires: cronie'
unpacked cronie cron cron-daemon-common
rm -rf /build/cronie/usr/lib/systemd
written cronie /usr/lib/systemd/system/crond.service <<'END'
[Unit]
Description=Command Scheduler

[Service]
ExecStart=/usr/sbin/cron -f

[Install]
WantedBy=multi-user.target
END
printf 'enable crond.service\nenable yum-cron.service\n' >>/usr/lib/systemd/system-preset/90-default.preset
unit_scripts cronie crond.service
printf '%%pre\nmkdir -p /var/spool/cron/crontabs\n' >>/build/cronie.scripts
make_rpm cronie 1.4.11-23 'Requires: glibc'
repository
rm -rf /build

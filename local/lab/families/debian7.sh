# Debian 7: SysV init, dpkg 1.16, apt 0.9, OpenSSH 6.0, iptables 1.4.14 with iptables-persistent 0.5, fail2ban 0.8.6.
systemctl disable lab-network.service
apt-get install -y -q --no-install-recommends --allow-remove-essential /srv/tools/*.deb cron rsyslog rpcbind </dev/null
apt-get purge -y -q --allow-remove-essential systemd libpam-systemd dbus-user-session </dev/null
apt-get autoremove -y -q --purge </dev/null
rm -rf /etc/systemd /usr/lib/systemd
old_debian 7 wheezy 11

# what systemd's packages bring in Debian 12
printf 'path-exclude=%s/*\n' /lib/systemd /usr/share/doc /usr/share/man >/etc/dpkg/dpkg.cfg.d/lab
for helper in deb-systemd-helper deb-systemd-invoke; do
    printf '#!/bin/sh\nexit 0\n' >"/usr/bin/$helper"
done

# Init: what boots a machine and has nothing to do here is left out; the rest are the packages' own scripts.
for name in hwclock.sh checkroot.sh checkroot-bootclean.sh checkfs.sh urandom sudo brightness mount-configfs; do
    [ ! -f "/etc/init.d/$name" ] || { rm "/etc/init.d/$name"; update-rc.d "$name" remove; }
done
for name in umountfs umountroot umountnfs.sh; do # the disk is the lab's
    sed -i '/END INIT INFO/a exit 0' "/etc/init.d/$name"
done
cat >/etc/inittab <<'END'
id:2:initdefault:
si::sysinit:/etc/init.d/rcS
l0:0:wait:/etc/init.d/rc 0
l1:1:wait:/etc/init.d/rc 1
l2:2:wait:/etc/init.d/rc 2
l3:3:wait:/etc/init.d/rc 3
l4:4:wait:/etc/init.d/rc 4
l5:5:wait:/etc/init.d/rc 5
l6:6:wait:/etc/init.d/rc 6
# what the lab asks for from outside
ca::ctrlaltdel:/sbin/telinit 6
pf::powerfail:/sbin/telinit 0
END
init_script() { # FOLDER NAME PROVIDES REQUIRED BEFORE LEVELS: the cases of its `case $1 in` from stdin
    mkdir -p "$1/etc/init.d"
    {
        printf '#!/bin/sh\n### BEGIN INIT INFO\n# Provides: %s\n# Required-Start: %s\n# Required-Stop:\n' "$3" "$4"
        printf '# X-Start-Before: %s\n# Default-Start: %s\n# Default-Stop:\n### END INIT INFO\n' "$5" "$6"
        printf '. /lib/lsb/init-functions\ncase ${1-} in\n'
        cat
        printf '    *) echo "Usage: $0 {start|stop|restart}" >&2; exit 3 ;;\nesac\n'
    } >"$1/etc/init.d/$2"
    chmod 755 "$1/etc/init.d/$2"
}
init_script '' networking networking 'mountkernfs $local_fs' '' S <<'END'
    start) [ -s /usr/lib/os-release ] || rm -f /usr/lib/os-release # the lab's, from before the boot
        /usr/local/sbin/lab-network ;;
    stop | restart) ;;
END
init_script '' rsyslog rsyslog '$remote_fs $time' '' '2 3 4 5' <<'END'
    start) start-stop-daemon --start --oknodo --pidfile /run/rsyslogd.pid --exec /usr/sbin/rsyslogd ;;
    stop) start-stop-daemon --stop --oknodo --retry 5 --pidfile /run/rsyslogd.pid --exec /usr/sbin/rsyslogd ;;
    restart) "$0" stop; exec "$0" start ;;
    rotate) start-stop-daemon --stop --signal HUP --pidfile /run/rsyslogd.pid --exec /usr/sbin/rsyslogd ;;
    status) status_of_proc -p /run/rsyslogd.pid /usr/sbin/rsyslogd rsyslogd ;;
END
sed -i '/imklog/d' /etc/rsyslog.conf
for name in networking rsyslog; do update-rc.d "$name" defaults; done
# sent to the lab, which waits for it
cat >/etc/rc.local <<'END'
#!/bin/sh
exec perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0); connect(S, sockaddr_un("/run/lab-ready")); send(S, "READY=1", 0)'
END
chmod 755 /etc/rc.local
update-rc.d rc.local defaults

stand_in /usr/bin/dpkg-query <<'END'
#!/bin/bash
# dpkg-query 1.16: a field that it does not know is empty.
for word; do
    words+=("$(printf '%s.' "$word" | sed 's/\${db:Status-[A-Za-z]*}//g')")
done
exec /usr/libexec/lab/dpkg-query "${words[@]%.}"
END
old_apt '--autoremove | --with-new-pkgs'
old_iptables 1.4.14 '-w* | --wait*'
old_sshd 6.0p1 'include allowstreamlocalforwarding authenticationmethods authorizedkeyscommand authorizedkeyscommanduser
 authorizedprincipalscommand authorizedprincipalscommanduser casignaturealgorithms disableforwarding exposeauthinfo
 fingerprinthash hostbasedacceptedalgorithms hostbasedacceptedkeytypes hostkeyagent hostkeyalgorithms permitlisten
 permittty permituserrc persourcemaxstartups persourcenetblocksize pubkeyacceptedalgorithms pubkeyacceptedkeytypes
 pubkeyauthoptions rekeylimit requiredrsasize securitykeyprovider setenv streamlocalbindmask streamlocalbindunlink
 versionaddendum' yes
old_ssh_config
# the daemon that runs is the one behind the stand-in
sed -i -e 's|--start \(.*\) --exec /usr/sbin/sshd|--start \1 --startas /usr/sbin/sshd --exec /usr/libexec/lab/sshd|' \
    -e 's|--stop \(.*\) --exec /usr/sbin/sshd|--stop \1 --exec /usr/libexec/lab/sshd|' /etc/init.d/ssh
without_option /usr/bin/tar --verbatim-files-from
without_option /usr/bin/dd 'status=none'
without_option /usr/bin/ss '-H*'
rm -f /usr/bin/setpriv /usr/sbin/runuser

init_script /build/iptables-persistent iptables-persistent iptables-persistent 'mountkernfs $local_fs' networking S <<'END'
    start | restart | reload | force-reload)
        [ ! -f /etc/iptables/rules.v4 ] || iptables-restore </etc/iptables/rules.v4
        [ ! -f /etc/iptables/rules.v6 ] || ip6tables-restore </etc/iptables/rules.v6 ;;
    save) iptables-save >/etc/iptables/rules.v4; ip6tables-save >/etc/iptables/rules.v6 ;;
    stop) ;;
    flush) for tool in iptables ip6tables; do
            for chain in INPUT FORWARD OUTPUT; do "$tool" -P "$chain" ACCEPT; done
            "$tool" -F
            "$tool" -X
        done ;;
END
rc_scripts iptables-persistent iptables-persistent
mkdir -p /build/iptables-persistent/usr/share/iptables-persistent
touch /build/iptables-persistent/usr/share/iptables-persistent/lab
sed -i '1a mkdir -p /etc/iptables' /build/iptables-persistent/DEBIAN/postinst
make_deb iptables-persistent 0.5.7+deb7u1 iptables

fail2ban_08 0.8.6
make_deb fail2ban 0.8.6-3wheezy3 'python3, iptables'
dpkg-deb -R /srv/apt/unattended-upgrades_*.deb /build/updates
sed -i -e 's/what in ("n", "codename",)/what in ()/' -e 's/Automatic-Reboot-Time/Lab-Unknown/' \
    /build/updates/usr/bin/unattended-upgrade
sed -i 's/^Version: .*/Version: 0.79.5+wheezy2/' /build/updates/DEBIAN/control
dpkg-deb --root-owner-group -b /build/updates /srv/then/unattended-upgrades_0.79.5_all.deb
repository wheezy 'netfilter-persistent_*' 'iptables-persistent_*' 'fail2ban_*' 'unattended-upgrades_*' 'systemd*' \
    'libpam-systemd_*' 'python3-systemd_*'
rm -rf /build /srv/tools

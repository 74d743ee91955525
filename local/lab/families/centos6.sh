# CentOS 6: SysV init with Red Hat's scripts, yum 3.2.29, OpenSSH 5.3, iptables 1.4.7, no firewalld, no os-release.
forgotten fedora-release python3 iptables-nft dnf openssh-server systemd firewalld rpcbind
as_centos 6 10 '' # `CentOS release 6.10 (Final)`
echo 'CentOS release 6.10 (Final)' >/etc/centos-release
rm -f /usr/lib/os-release /etc/os-release
adopted iptables-ipv6 /usr/sbin/ip6tables-save

# Init: process 1 is Debian's sysvinit; what it runs is in the places of CentOS 6.
for deb in /srv/tools/sysvinit-core_*.deb; do deb_files "$deb" /build/init; done
merged init
rm -f /usr/sbin/init
cp -a --remove-destination /build/init/usr/sbin/. /usr/sbin
mkdir -p /etc/rc.d/init.d /var/lock/subsys
cp -a /etc/init.d/. /etc/rc.d/init.d
rm -rf /etc/init.d /etc/rc.d/init.d/* /etc/rc?.d
ln -s rc.d/init.d /etc/init.d
for level in 0 1 2 3 4 5 6; do
    mkdir -p "/etc/rc.d/rc$level.d"
    ln -s "rc.d/rc$level.d" "/etc/rc$level.d"
done
cat >/etc/inittab <<'END'
id:3:initdefault:
si::sysinit:/etc/rc.d/rc.sysinit
l0:0:wait:/etc/rc.d/rc 0
l3:3:wait:/etc/rc.d/rc 3
l6:6:wait:/etc/rc.d/rc 6
# what the lab asks for from outside
ca::ctrlaltdel:/sbin/telinit 6
pf::powerfail:/sbin/telinit 0
END
cat >/etc/rc.d/rc.sysinit <<'END'
#!/bin/sh
# What is not on a disk, and what a boot forgets.
rm -f /usr/lib/os-release
mkdir -p /run/sshd /run/lock/subsys
: >/run/utmp
chmod 1777 /run/lock
sysctl -e -p /etc/sysctl.conf >/dev/null 2>&1
for file in /etc/sysctl.d/*; do [ ! -f "$file" ] || sysctl -e -p "$file" >/dev/null 2>&1; done
END
cat >/etc/rc.d/rc <<'END'
#!/bin/sh
export PATH=/sbin:/usr/sbin:/bin:/usr/bin
for script in /etc/rc$1.d/K*; do
    name=${script##*/K??}
    [ ! -e "/var/lock/subsys/$name" ] || "$script" stop
done
for script in /etc/rc$1.d/S*; do [ ! -x "$script" ] || "$script" start; done
case $1 in
    0 | 6)
        kill -TERM -1
        sleep 0.3
        kill -KILL -1
        sync
        if [ "$1" = 0 ]; then exec halt -f; else exec reboot -f; fi ;;
esac
END
# sent to the lab, which waits for it
cat >/etc/rc.d/rc.local <<'END'
#!/bin/sh
touch /var/lock/subsys/local
exec perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0); connect(S, sockaddr_un("/run/lab-ready")); send(S, "READY=1", 0)'
END
chmod 755 /etc/rc.d/rc /etc/rc.d/rc.sysinit /etc/rc.d/rc.local
ln -s ../rc.local /etc/rc.d/rc3.d/S99local
cat >/etc/rc.d/init.d/functions <<'END'
# As far as the lab's scripts need it. name, program: of the service; pid: its file.
pid_of() { [ -f "$pid" ] && kill -0 "$(cat "$pid")" 2>/dev/null && cat "$pid"; }
started() { # COMMAND…
    ! pid_of >/dev/null || return 0
    "$@" && touch "/var/lock/subsys/$name"
}
stopped() {
    now=$(pid_of) && kill "$now" || :
    tries=0
    while pid_of >/dev/null && [ "$tries" -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
    rm -f "/var/lock/subsys/$name" "$pid"
}
status() {
    if now=$(pid_of); then echo "$name (pid  $now) is running..."; return 0; fi
    if [ -f "/var/lock/subsys/$name" ]; then echo "$name dead but subsys locked"; return 2; fi
    echo "$name is stopped"
    return 3
}
END
# chkconfig(8), as far as scripts use it
cat >/usr/sbin/chkconfig <<'END'
#!/bin/sh
usage() { echo 'usage:   chkconfig [--list] [name] | --add <name> | --del <name> | <name> <on|off|reset>' >&2; exit 1; }
there() {
    [ -x "/etc/init.d/$1" ] || { echo "error reading information on service $1: No such file or directory" >&2; exit 1; }
    set -- "$1" $(sed -n 's/^# chkconfig: *//p' "/etc/init.d/$1")
    [ $# -eq 4 ] || { echo "service $1 does not support chkconfig" >&2; exit 1; }
    name=$1 levels=$2 start=$3 stop=$4
}
links() { # on, off or default
    rm -f /etc/rc[0-6].d/[SK][0-9][0-9]"$name"
    case $1 in on) on=2345 ;; off) on= ;; *) on=${levels#-} ;; esac
    for level in 0 1 2 3 4 5 6; do
        case $on in *$level*) link=S$start ;; *) link=K$stop ;; esac
        ln -s "../init.d/$name" "/etc/rc$level.d/$link$name"
    done
}
is_on() { ls /etc/rc3.d/S[0-9][0-9]"$1" >/dev/null 2>&1; }
case ${1-} in
    --add) there "$2"; ls /etc/rc?.d/[SK][0-9][0-9]"$2" >/dev/null 2>&1 || links default ;;
    --del) rm -f /etc/rc[0-6].d/[SK][0-9][0-9]"$2" ;;
    --list) there "$2"; if is_on "$2"; then printf '%s\t3:on\n' "$2"; else printf '%s\t3:off\n' "$2"; fi ;;
    -*) usage ;;
    *) [ $# -gt 0 ] || usage
        there "$1"
        case ${2-} in on | off) links "$2" ;; reset) links default ;; '') is_on "$1" ;; *) usage ;; esac ;;
esac
END
chmod 755 /usr/sbin/chkconfig

init_script() { # PACKAGE NAME LEVELS START STOP: the cases of its `case $1 in` from stdin; "": a part of the root
    target=/etc/rc.d/init.d/$2
    {
        printf '#!/bin/sh\n# %s: the lab'"'"'s script\n#\n# chkconfig: %s %s %s\n' "$2" "$3" "$4" "$5"
        printf '. /etc/rc.d/init.d/functions\nname=%s pid=/var/run/%s.pid\ncase ${1-} in\n' "$2" "$2"
        cat
        printf '    *) echo "Usage: $0 {start|stop|status|restart}" >&2; exit 2 ;;\nesac\n'
    } >"/build/$2.init"
    mkdir -p "/build/$1/etc/rc.d/init.d"
    install -m 755 "/build/$2.init" "/build/$1$target"
}
rc_scripts() { # NAME SERVICE…: what such a package does when it comes and goes
    name=$1
    shift
    {
        echo '%post'
        for service; do echo "/sbin/chkconfig --add $service"; done
        echo '%preun'
        for service; do echo "[ \$1 -ne 0 ] || { /sbin/service $service stop >/dev/null 2>&1; /sbin/chkconfig --del $service; }"; done
    } | scripts "$name"
}
part_of_root() { # PACKAGE SERVICE…
    package=$1
    shift
    cp -a "/build/$package/." /
    for service; do chkconfig --add "$service"; done
}

init_script initscripts network 2345 10 90 <<'END'
    start) /usr/local/sbin/lab-network && touch /var/lock/subsys/network ;;
    stop) rm -f /var/lock/subsys/network ;;
    status) ip -br address ;;
    restart) /usr/local/sbin/lab-network ;;
END
part_of_root initscripts network
make_rpm initscripts 9.03.61-1 'Requires: glibc'
init_script openssh-server sshd 2345 55 25 <<'END'
    start) started /usr/sbin/sshd ${OPTIONS-} ;;
    stop) stopped ;;
    restart) "$0" stop; exec "$0" start ;;
    reload) now=$(pid_of) && kill -HUP "$now" ;;
    status) status ;;
END
old_sshd 5.3p1 'include acceptenvs allowstreamlocalforwarding authenticationmethods authorizedprincipalsfile
 authorizedprincipalscommand authorizedprincipalscommanduser casignaturealgorithms disableforwarding exposeauthinfo
 fingerprinthash hostbasedacceptedalgorithms hostbasedacceptedkeytypes hostcertificate hostkeyagent hostkeyalgorithms
 ipqos kexalgorithms permitlisten permittty permituserrc persourcemaxstartups persourcenetblocksize
 pubkeyacceptedalgorithms pubkeyacceptedkeytypes pubkeyauthoptions rekeylimit requiredrsasize revokedkeys
 securitykeyprovider setenv streamlocalbindmask streamlocalbindunlink trustedusercakeys versionaddendum' yes
old_sshd_config
part_of_root openssh-server sshd
make_rpm openssh-server 5.3p1-124 'Requires: glibc'
for tool in iptables ip6tables; do
    case $tool in iptables) package=iptables icmp=icmp ;; *) package=iptables-ipv6 icmp=ipv6-icmp ;; esac
    sample_rules "$package" "$tool" "$icmp"
    init_script "$package" "$tool" 2345 08 92 <<END
    start) [ -f /etc/sysconfig/$tool ] || exit 6
        $tool-restore </etc/sysconfig/$tool && touch /var/lock/subsys/$tool ;;
    stop) $tool -P INPUT ACCEPT; $tool -P FORWARD ACCEPT; $tool -P OUTPUT ACCEPT; $tool -F; $tool -X
        rm -f /var/lock/subsys/$tool ;;
    restart) exec "\$0" start ;;
    save) umask 077; $tool-save -c >/etc/sysconfig/$tool.new && mv /etc/sysconfig/$tool.new /etc/sysconfig/$tool ;;
    status) [ -f /var/lock/subsys/$tool ] || { echo "$tool: Firewall is not running."; exit 3; }
        $tool -n -L ;;
END
    rc_scripts "$package" "$tool"
done
old_iptables 1.4.7 '-w* | --wait* | -C | --check | --check-*'
part_of_root iptables iptables
make_rpm iptables 1.4.7-19 'Requires: glibc'
make_rpm iptables-ipv6 1.4.7-19 'Requires: iptables'
unpacked rsyslog rsyslog libestr0 libfastjson4
rm -rf /build/rsyslog/usr/lib/systemd /build/rsyslog/etc /build/rsyslog/usr/lib/rsyslog
written rsyslog /etc/rsyslog.conf <<'END'
module(load="imuxsock")
authpriv.* /var/log/secure
*.info;authpriv.none /var/log/messages
END
init_script rsyslog rsyslog 2345 12 88 <<'END'
    start) started /usr/sbin/rsyslogd -i /var/run/rsyslog.pid ;;
    stop) stopped ;;
    restart) "$0" stop; exec "$0" start ;;
    status) status ;;
END
part_of_root rsyslog rsyslog
make_rpm rsyslog 5.8.10-12 'Requires: glibc'
unpacked cronie cron cron-daemon-common
rm -rf /build/cronie/usr/lib/systemd
init_script cronie crond 2345 90 60 <<'END'
    start) started /usr/sbin/cron ;;
    stop) stopped ;;
    restart) "$0" stop; exec "$0" start ;;
    status) status ;;
END
rc_scripts cronie crond
printf '%%pre\nmkdir -p /var/spool/cron/crontabs\n' >>/build/cronie.scripts
make_rpm cronie 1.4.4-16 'Requires: glibc'

old_yum 3.2.29 --no-such-option no-such-command
rm -f /etc/firewalld/lab.nft /usr/lib/systemd/system/firewalld.service
registered centos-release python iptables yum openssh-server initscripts rsyslog
without_option /usr/bin/tar --verbatim-files-from
without_option /usr/bin/dd 'status=none'
without_option /usr/bin/ss '-H*'
without_option /usr/sbin/runuser -u
rm -rf /usr/bin/setpriv /usr/bin/systemctl /usr/bin/systemd-* /usr/bin/journalctl /usr/bin/loginctl /usr/bin/busctl \
    /usr/lib/systemd /etc/systemd /usr/share/dbus-1/system-services/org.freedesktop.systemd1.service
sed -i /pam_systemd/d /etc/pam.d/common-session

# What listens, and goes.
unpacked rpcbind rpcbind
rm -rf /build/rpcbind/usr/share /build/rpcbind/usr/lib/systemd
init_script rpcbind rpcbind 2345 13 87 <<'END'
    start) mkdir -p /run/rpcbind
        started /usr/sbin/rpcbind -w && pidof rpcbind >"$pid" ;;
    stop) stopped ;;
    restart) "$0" stop; exec "$0" start ;;
    status) status ;;
END
rc_scripts rpcbind rpcbind
make_rpm rpcbind 0.2.0-16 'Requires: glibc' 'Requires: libtirpc'
registered rpcbind
part_of_root rpcbind rpcbind

# To be installed by the chapters.
fail2ban_files fail2ban
init_script fail2ban fail2ban - 92 08 <<'END'
    start) mkdir -p /var/run/fail2ban
        pid=/var/run/fail2ban/fail2ban.pid
        started fail2ban-client -x start >/dev/null ;;
    stop) fail2ban-client stop >/dev/null; rm -f /var/lock/subsys/fail2ban ;;
    restart) "$0" stop; exec "$0" start ;;
    reload) fail2ban-client reload >/dev/null ;;
    status) pid=/var/run/fail2ban/fail2ban.pid; status ;;
END
rm -rf /build/fail2ban/usr/lib/systemd
# fail2ban 0.9 has neither a test of the configuration nor a list of bans by itself
mkdir -p /build/fail2ban/usr/libexec/lab
mv /build/fail2ban/usr/bin/fail2ban-client /build/fail2ban/usr/libexec/lab/fail2ban-client
written fail2ban /usr/bin/fail2ban-client 755 <<'END'
#!/bin/sh
real=/usr/libexec/lab/fail2ban-client
case " $* " in
    *' -t '* | *' --test '*) echo "Usage: $0 [OPTIONS] <COMMAND>"; exit 255 ;;
    *' get '*' banip '*) echo "ERROR  NOK: ('Invalid command (no get action or not yet implemented)',)" >&2; exit 255 ;;
    *' -i '*) sed 's/^get \([^ ]*\) banip/get \1 no-such-value/' | "$real" "$@" ;;
    *) exec "$real" "$@" ;;
esac
END
rc_scripts fail2ban fail2ban
make_rpm fail2ban 0.9.6-1 'Requires: python' 'Requires: iptables' 'Requires: iptables-ipv6'
written yum-cron /etc/sysconfig/yum-cron <<'END'
# Pass any given paramter to yum, as run in all the scripts invoked by this package.
YUM_PARAMETER=
# Don't install, just check (valid: yes|no)
CHECK_ONLY=no
# Don't install, just check and download (valid: yes|no)
DOWNLOAD_ONLY=no
ERROR_LEVEL=0
DEBUG_LEVEL=0
RANDOMWAIT="60"
MAILTO=root
DAYS_OF_WEEK="0123456"
CLEANDAY="0"
END
written yum-cron /etc/cron.daily/0yum.cron 755 <<'END'
#!/bin/sh
# as far as the lab needs it
[ -f /var/lock/subsys/yum-cron ] || exit 0
. /etc/sysconfig/yum-cron
[ "$CHECK_ONLY" != no ] || [ "$DOWNLOAD_ONLY" != no ] || yum -y -q $YUM_PARAMETER update
END
init_script yum-cron yum-cron - 92 08 <<'END'
    start) touch /var/lock/subsys/yum-cron ;;
    stop) rm -f /var/lock/subsys/yum-cron ;;
    restart) exec "$0" start ;;
    status) [ -f /var/lock/subsys/yum-cron ] || { echo 'Nightly yum update is disabled.'; exit 3; }
        echo 'Nightly yum update is enabled.' ;;
END
rc_scripts yum-cron yum-cron
make_rpm yum-cron 3.2.29-81 'Requires: yum' 'Requires: cronie'
repository
rm -rf /build /srv/tools /srv/rpm/firewalld-* /srv/rpm/systemd-*

# Families of distributions that are administered alike. A new one has an entry in each of the functions.
#
# family_by_name ID:MAJOR     sets family for releases whose derivatives number theirs differently; sets _untried to the
#                             reason if the release is untested
# family_of ID:MAJOR          sets family for the others. The host's ID is tried first, then each word of ID_LIKE
# family_facts                sets what differs between families: see hosts/system/distro.sh
# family_package NAME         sets _real to the local name of a package with this (Debian) name; "" if there is none
# family_lacks NAME           prints why there is none, if known

_upstart='Upstart, whose jobs (sshd is one) Stockade does not know'
family_by_name() {
    case $1 in
        debian:[1-6]) _untried='Debian before 7 has another iptables-persistent, dpkg and fail2ban, and was not tried' ;;
        ubuntu:[4-9] | ubuntu:1[0-4]) _untried="Ubuntu before 15.04 has $_upstart" ;;
        debian:7) family=debian7 ;; # Linux Mint also has a release 7, which resembles Debian 13
    esac
}
family_of() {
    case $1 in
        debian:* | ubuntu:*) family=debian ;;
        fedora:2[2-9] | fedora:3? | fedora:40 | rhel:8 | rhel:9 | rhel:1? | centos:8 | centos:9 | centos:1?) family=fedora ;;
        fedora:4[1-9] | fedora:[5-9]?) family=fedora41 ;;
        centos:7 | rhel:7 | fedora:1[89] | fedora:2[01]) family=centos7 ;;
        centos:6 | rhel:6 | fedora:1[0-7]) family=centos6 ;;
        arch:*) family=arch ;;
        opensuse-leap:1[5-9] | opensuse-tumbleweed:*) family=opensuse ;;
    esac
}
family_facts() {
    case $family in
        debian7 | debian)
            pkg_manager=apt
            admin_groups='sudo wheel'
            boot_v4=/etc/iptables/rules.v4
            boot_v6=/etc/iptables/rules.v6
            unit_v4=netfilter-persistent
            unit_v6=netfilter-persistent
            updater=unattended-upgrades
            updater_file=/etc/apt/apt.conf.d/99stockade-updates
            ;;
        fedora | fedora41 | centos7 | centos6)
            pkg_manager=dnf # dnf 4 or 5
            admin_groups='wheel sudo'
            boot_v4=/etc/sysconfig/iptables
            boot_v6=/etc/sysconfig/ip6tables
            unit_v4=iptables
            unit_v6=ip6tables
            updater=dnf-automatic
            updater_file=/etc/dnf/automatic.conf
            ;;
        arch)
            pkg_manager=pacman
            admin_groups='wheel sudo'
            boot_v4=/etc/iptables/iptables.rules
            boot_v6=/etc/iptables/ip6tables.rules
            unit_v4=iptables
            unit_v6=ip6tables
            ;;
        opensuse) # nothing on it loads iptables rules at boot
            pkg_manager=zypper
            admin_groups='wheel sudo'
            ;;
    esac
    case $family in
        debian7)
            unit_v4=iptables-persistent
            unit_v6=iptables-persistent
            ;;
        fedora41) updater=dnf5-automatic ;;
        centos7)
            pkg_manager=yum
            updater=yum-cron
            updater_file=/etc/yum/yum-cron.conf
            ;;
        centos6)
            pkg_manager=yum
            updater=yum-cron
            updater_file=/etc/sysconfig/yum-cron
            ;;
    esac
}
_exim_names() {
    case $1 in
        exim4 | exim4-daemon-light) _real=exim ;;
        exim4-base | exim4-config | exim4-daemon-heavy) _real= ;;
    esac
}
_rpm_names() {
    case $1 in
        fail2ban) _real=fail2ban-server ;; # `fail2ban` itself pulls in firewalld
        nfs-common) _real=nfs-utils ;;
        cron) _real=cronie ;;
        *) _exim_names "$1" ;;
    esac
}
_dnf_names() {
    case $1 in
        # the latter in RHEL 9 and later
        iptables-persistent | netfilter-persistent) _real=$(pkg_first iptables-services iptables-nft-services) ;;
        unattended-upgrades) _real=dnf-automatic ;;
        netcat-openbsd) _real=netcat ;;
        *) _rpm_names "$1" ;;
    esac
}
_yum_names() {
    case $1 in
        iptables-persistent | netfilter-persistent) _real=iptables-services ;;
        unattended-upgrades) _real=yum-cron ;;
        netcat-openbsd) _real=nc ;;
        *) _rpm_names "$1" ;;
    esac
}
family_package() {
    _real=$1
    case $family in
        debian7)
            case $1 in
                netfilter-persistent) _real=iptables-persistent ;;
                python3-systemd) _real=fail2ban ;; # there is no journal to read
            esac
            ;;
        fedora) _dnf_names "$1" ;;
        fedora41)
            case $1 in
                unattended-upgrades) _real=dnf5-plugin-automatic ;;
                *) _dnf_names "$1" ;;
            esac
            ;;
        centos7)
            case $1 in
                python3-systemd) _real=systemd-python ;;
                *) _yum_names "$1" ;;
            esac
            ;;
        centos6)
            case $1 in
                fail2ban) ;;
                python3-systemd) _real=fail2ban ;;                                 # there is no journal to read
                iptables-persistent | netfilter-persistent) _real=iptables-ipv6 ;; # pulls in iptables
                *) _yum_names "$1" ;;
            esac
            ;;
        arch)
            case $1 in
                iptables-persistent | netfilter-persistent) _real=iptables ;;
                openssh-server) _real=openssh ;;
                python3-systemd) _real=python-systemd ;;
                nfs-common) _real=nfs-utils ;;
                cron) _real=cronie ;;
                unattended-upgrades) _real= ;;
                *) _exim_names "$1" ;;
            esac
            ;;
        opensuse)
            case $1 in
                iptables-persistent | netfilter-persistent | unattended-upgrades) _real= ;;
                nfs-common) _real=nfs-client ;;
                cron) _real=cronie ;;
                *) _exim_names "$1" ;;
            esac
            ;;
    esac
}
family_lacks() {
    case $family:$1 in
        arch:unattended-upgrades)
            printf '%s: leave `updates` out for this host\n' \
                'Arch supports no unattended updates (its news tells what an update needs by hand)'
            ;;
        opensuse:iptables-persistent | opensuse:netfilter-persistent)
            printf '%s: leave `firewall` out for this host\n' \
                'openSUSE has no package that loads the rules of iptables at boot (firewalld has rules of its own)'
            ;;
        opensuse:unattended-upgrades)
            echo "openSUSE's automatic updates are untested: leave \`updates\` out for this host"
            ;;
        *) return 1 ;;
    esac
}

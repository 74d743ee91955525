# What Debian 7 and 8 share: apt of then, cron's job for updates, fail2ban 0.8, a repository of its own.
set -eu
umask 022
export DPKG_FORCE=unsafe-io
mkdir -p /build /usr/libexec/lab /srv/then
old_debian() { # VERSION CODENAME POINT
    rm -rf /usr/lib/os-release /etc/os-release /etc/ssh/sshd_config.d
    echo "$1.$3" >/etc/debian_version
    cat >/etc/os-release <<END
PRETTY_NAME="Debian GNU/Linux $1 ($2)"
NAME="Debian GNU/Linux"
VERSION_ID="$1"
VERSION="$1 ($2)"
ID=debian
ANSI_COLOR="1;31"
HOME_URL="http://www.debian.org/"
END
}
old_apt() { # REFUSED: it waits for no lock
    stand_in /usr/bin/apt-get <<END
#!/bin/bash
words=(-o DPkg::Lock::Timeout=0)
for word; do
    case \$word in
        $1 | --allow-*) echo "E: Command line option '\$word' is not understood" >&2; exit 100 ;;
        full-upgrade) echo "E: Invalid operation \$word" >&2; exit 100 ;;
        [Dd][Pp]kg::Lock::Timeout=*) words+=(Lab::Unknown=1) ;;
        *) words+=("\$word") ;;
    esac
done
exec /usr/libexec/lab/apt-get "\${words[@]}"
END
    rm -f /usr/bin/apt
    # what its job is called; systemd's timers come with apt 1.2
    sed '/run\/systemd\/system/,/^fi/d' /etc/cron.daily/apt-compat >/etc/cron.daily/apt
    chmod 755 /etc/cron.daily/apt
    rm /etc/cron.daily/apt-compat
}
old_ssh_config() {
cat >/etc/ssh/sshd_config <<'END'
Port 22
SyslogFacility AUTH
LogLevel INFO
PermitRootLogin yes
StrictModes yes
PubkeyAuthentication yes
PermitEmptyPasswords no
ChallengeResponseAuthentication no
X11Forwarding yes
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
UsePAM yes
END
}
make_deb() { # NAME VERSION DEPENDS: from /build/NAME, whose DEBIAN may have scripts
    mkdir -p "/build/$1/DEBIAN"
    printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: the lab\nDepends: %s\nDescription: %s\n' \
        "$1" "$2" "$3" "as far as the lab needs it" >"/build/$1/DEBIAN/control"
    (cd "/build/$1" && if [ -d etc ]; then find etc -type f | sed 's|^|/|'; fi) >"/build/$1/DEBIAN/conffiles"
    dpkg-deb --root-owner-group -b "/build/$1" "/srv/then/$1_$2_all.deb"
}
rc_scripts() { # PACKAGE SERVICE STARTED (yes or empty): as dh_installinit writes them
    mkdir -p "/build/$1/DEBIAN"
    printf '#!/bin/sh\nset -e\nupdate-rc.d %s defaults >/dev/null\n%s\n' "$2" "${3:+invoke-rc.d $2 start || exit \$?}" \
        >"/build/$1/DEBIAN/postinst"
    printf '#!/bin/sh\nset -e\ninvoke-rc.d %s stop || exit $?\n' "$2" >"/build/$1/DEBIAN/prerm"
    printf '#!/bin/sh\nset -e\n[ "$1" != purge ] || update-rc.d %s remove >/dev/null\n' "$2" >"/build/$1/DEBIAN/postrm"
    chmod 755 "/build/$1/DEBIAN"/p*
}
fail2ban_08() { # VERSION PACKAGE-VERSION
    dpkg-deb -x /srv/apt/fail2ban_*.deb /build/fail2ban
    (cd /build/fail2ban && rm -rf lib usr/share/doc usr/share/man etc/monit etc/fail2ban/jail.d etc/fail2ban/fail2ban.d \
        etc/fail2ban/paths-*)
    sed -i -e 's/f2b-/fail2ban-/g' -e 's/^lockingopt = -w/lockingopt =/' /build/fail2ban/etc/fail2ban/action.d/iptables*.conf
    sed -i -e 's/^#allowipv6 = auto/allowipv6 = no/' -e 's/^dbfile = .*/dbfile = None/' \
        /build/fail2ban/etc/fail2ban/fail2ban.conf
    cat >/build/fail2ban/etc/fail2ban/jail.conf <<'END'
[DEFAULT]
ignoreip = 127.0.0.1/8
bantime  = 600
maxretry = 3
backend = auto
destemail = root@localhost
banaction = iptables-multiport
mta = sendmail
protocol = tcp
chain = INPUT
action_ = %(banaction)s[name=%(__name__)s, port="%(port)s", protocol="%(protocol)s", chain="%(chain)s"]
action = %(action_)s

[ssh]
enabled  = true
port     = ssh
filter   = sshd
logpath  = /var/log/auth.log
maxretry = 6

[dropbear]
enabled  = false
port     = ssh
filter   = dropbear
logpath  = /var/log/auth.log
maxretry = 6
END
    mkdir -p /build/fail2ban/usr/libexec/lab
    mv /build/fail2ban/usr/bin/fail2ban-client /build/fail2ban/usr/libexec/lab
    cat >/build/fail2ban/usr/bin/fail2ban-client <<'END'
@fail2ban-client-0.8
END
    sed -i "s/^VERSION = .*/VERSION = \"$1\"/" /build/fail2ban/usr/bin/fail2ban-client
    chmod 755 /build/fail2ban/usr/bin/fail2ban-client
    rc_scripts fail2ban fail2ban yes
}
repository() { # CODENAME OTHERS…: patterns of Debian 12's packages that are not what there was then
    codename=$1
    shift
    for deb in /srv/apt/*.deb; do
        other=
        for pattern; do case ${deb##*/} in $pattern) other=yes ;; esac; done
        [ -n "$other" ] || ln -s "$deb" "/srv/then/${deb##*/}"
    done
    (
        cd /srv/then
        apt-ftparchive packages . >Packages
        f=APT::FTPArchive::Release
        apt-ftparchive -o "$f::Origin=Debian" -o "$f::Label=Debian" -o "$f::Codename=$codename" -o "$f::Components=main" \
            release . >/build/Release
        mv /build/Release Release
    )
    rm -rf /var/lib/apt/lists/*
    echo 'deb [trusted=yes] file:/srv/then ./' >/etc/apt/sources.list
    apt-get update </dev/null
    apt-get check </dev/null
}

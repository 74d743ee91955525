# What CentOS 6 and 7 share, on top of the family `fedora`.
set -eu
umask 022
mkdir -p /build /usr/libexec/lab
deb_files() { # dpkg is gone
    python3 - "$1" "$2" <<'END'
import io, lzma, sys, tarfile

raw = open(sys.argv[1], "rb").read()
at = 8
while at < len(raw):
    name, size = raw[at : at + 16].decode().strip().rstrip("/"), int(raw[at + 48 : at + 58])
    if name.startswith("data.tar"):
        data = raw[at + 60 : at + 60 + size]
        data = lzma.decompress(data) if name.endswith(".xz") else data
        tarfile.open(fileobj=io.BytesIO(data)).extractall(sys.argv[2])
    at += 60 + size + size % 2
END
}
registered() { # NAME…: in rpm's database, as what the root has already
    for name; do echo /srv/rpm/"$name"-[0-9]*.rpm; done | xargs rpm -i --justdb --nodeps --noscripts
}
forgotten() { # NAME…: Fedora's name for it
    rpm -e --justdb --nodeps --noscripts "$@"
    for name; do rm -f /srv/rpm/"$name"-[0-9]*.rpm; done
}

# yum 3 in front of dnf 4: its options, its words, its notes of why a package is there (yumdb).
old_yum() { # VERSION NEWER-OPTIONS NEWER-COMMANDS (patterns that it knows besides)
    mv /usr/bin/dnf-3 /usr/libexec/lab/dnf
    rm -f /usr/bin/dnf
    cat >/usr/bin/yum <<END
#!/bin/sh
# yum $1 as far as the lab needs it.
newer_option() { case \$1 in $2) return 0 ;; esac; return 1; }
newer_command() { case \$1 in $3) return 0 ;; esac; return 1; }
END
    cat >>/usr/bin/yum <<'END'
dnf() { /usr/libexec/lab/dnf --setopt=protected_packages=yum "$@"; }
yumdb=/var/lib/yum/yumdb
command= names= options=--setopt=clean_requirements_on_remove=False yes=
for word; do
    case $word in
        -y | --assumeyes) yes=-y ;;
        -q | --quiet) options="$options -q" ;;
        --setopt=clean_requirements_on_remove=* | --setopt=exit_on_lock=*) options="$options $word" ;;
        --setopt=*) word=${word#--setopt=}; echo "Main config did not have a ${word%%=*} attr. before setopt" >&2 ;;
        -*) newer_option "$word" || {
            printf 'Usage: yum [options] COMMAND\n\n\nCommand line error: no such option: %s\n' "$word" >&2
            exit 1
        }
            options="$options $word" ;;
        *) if [ -z "$command" ]; then command=$word; else names="$names $word"; fi ;;
    esac
done
case $command in
    install | remove | update | upgrade | list | makecache) ;;
    erase) command=remove ;;
    clean) names='expire-cache' ;;
    *) newer_command "$command" || { echo "No such command: $command. Please use /usr/bin/yum --help" >&2; exit 1; } ;;
esac
notes() { # what is noted there is what dnf goes by, too
    for note in "$yumdb"/*/*/reason; do
        [ -f "$note" ] && [ "$(cat "$note")" = dep ] || continue
        rpm -q --qf '%{NAME}\n' "$(basename "${note%/reason}" | sed 's/^[0-9a-f]*-//')" 2>/dev/null
    done | grep -v ' is not installed' | sort >"$work/dep"
    [ ! -s "$work/dep" ] || dnf -q mark remove $(cat "$work/dep") >/dev/null 2>&1
}
write_notes() {
    rm -rf "$yumdb"
    dnf -q repoquery --userinstalled --qf '%{name}' | sort >"$work/user"
    rpm -qa --qf '%{NAME} %{SHA1HEADER}-%{NAME}-%{VERSION}-%{RELEASE}-%{ARCH}\n' | while read -r name key; do
        folder=$yumdb/$(printf %.1s "$name")/$key
        mkdir -p "$folder"
        if grep -qxF "$name" "$work/user"; then printf user; else printf dep; fi >"$folder/reason"
    done
}
words() {
    sed -e 's/Operation aborted\.$/Exiting on user Command/' \
        -e 's/.*following protected packages: \(.*\)/Error: Trying to remove "\1", which is protected/' "$work/said"
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/answers"
case $command in remove | autoremove) notes ;; esac
status=0
dnf $options $yes "$command" $names <"$work/answers" >"$work/said" 2>&1 || status=$?
lost=$(sed -n 's/^Error: Unable to find a match: //p' "$work/said")
if [ -n "$lost" ]; then
    for name in $lost; do
        echo "No package $name available."
        names=$(printf '%s\n' $names | grep -vxF "$name")
    done
    [ -n "$names" ] || { echo 'Error: Nothing to do' >&2; exit 1; }
    status=0
    dnf $options $yes "$command" $names <"$work/answers" >"$work/said" 2>&1 || status=$?
fi
words
case $yes,$status,$command in -y,0,install | -y,0,*remove | -y,0,up*) write_notes ;; esac
exit "$status"
END
    chmod 755 /usr/bin/yum
    written yum /etc/yum.conf <<'END'
[main]
cachedir=/var/cache/yum/$basearch/$releasever
exactarch=1
obsoletes=1
plugins=1
END
    cp "/build/yum/etc/yum.conf" /etc/yum.conf
    adopted yum /usr/bin/yum
    make_rpm yum "$1-1" 'Requires: rpm' 'Requires: python'
}

old_sshd_config() {
    rm -rf /etc/ssh/sshd_config.d
    cat >/etc/ssh/sshd_config <<'END'
SyslogFacility AUTHPRIV
PermitRootLogin yes
PasswordAuthentication yes
ChallengeResponseAuthentication no
UsePAM yes
X11Forwarding yes
Subsystem sftp /usr/lib/openssh/sftp-server
END
}

# All that both are made of, but for services.
as_centos() { # MAJOR MINOR NAME YUM
    rm -f /etc/fedora-release /etc/redhat-release
    echo "CentOS $3 release $1.$2" >/etc/centos-release
    ln -s centos-release /etc/redhat-release
    rm -f /srv/rpm/dnf-automatic-* /srv/rpm/fail2ban-* /srv/rpm/python3-systemd-* /srv/rpm/iptables-services-*
    adopted centos-release /etc/centos-release /etc/redhat-release
    make_rpm centos-release "$1-$2" "Provides: system-release = $1" "Provides: system-release(releasever) = $1"
    adopted python /usr/bin/python3.11
    make_rpm python "$(case $1 in 6) echo 2.6.6-66 ;; *) echo 2.7.5-90 ;; esac)" 'Requires: glibc'
    adopted iptables /usr/sbin/xtables-nft-multi
}
# as EPEL's package has it: logs of the family's own places
fail2ban_files() { # PACKAGE
    unpacked "$1" fail2ban
    rm -rf "/build/$1/etc/fail2ban/jail.d" "/build/$1/etc/logrotate.d" "/build/$1/etc/fail2ban/paths-debian.conf"
    written "$1" /etc/fail2ban/paths-fedora.conf <<'END'
[INCLUDES]
before = paths-common.conf
after = paths-overrides.local
[DEFAULT]
syslog_mail = /var/log/maillog
syslog_authpriv = /var/log/secure
syslog_user = /var/log/messages
syslog_ftp = /var/log/messages
syslog_daemon = /var/log/messages
syslog_local0 = /var/log/messages
END
    sed -i 's/^before = paths-debian.conf/before = paths-fedora.conf/' "/build/$1/etc/fail2ban/jail.conf"
}
repository() {
    rm -rf /srv/rpm/repodata /var/cache/dnf
    sed -e 's/fedora/base/' -e 's/Fedora/CentOS/' /etc/yum.repos.d/fedora.repo >/etc/yum.repos.d/CentOS-Base.repo
    rm /etc/yum.repos.d/fedora.repo
    createrepo_c -q /srv/rpm
    yum -y install glibc </dev/null >/dev/null # which is there: yum writes its notes
}

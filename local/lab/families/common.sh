# What all families share.
deb_files() { dpkg-deb -x "$1" "$2"; }
unpacked() { # NAME DEB…: the files of these packages of the repository become those of package NAME
    name=$1
    shift
    mkdir -p "/build/$name"
    for deb; do deb_files "$(ls /srv/apt/"${deb}"_*.deb | tail -n 1)" "/build/$name"; done
    merged "$name"
    rm -rf "/build/$name/usr/share/doc" "/build/$name/usr/share/man" "/build/$name/usr/share/lintian" \
        "/build/$name/etc/init.d" "/build/$name/etc/default"
}
merged() { # /lib and the like are links to /usr
    for part in lib bin sbin; do
        [ -d "/build/$1/$part" ] || continue
        mkdir -p "/build/$1/usr/$part"
        cp -a "/build/$1/$part/." "/build/$1/usr/$part"
        rm -rf "${1:+/build/$1/$part}"
    done
}
adopted() { # NAME PATH…: these files of the root become those of package NAME
    name=$1
    shift
    mkdir -p "/build/$name"
    for path; do
        mkdir -p "/build/$name${path%/*}"
        cp -a "$path" "/build/$name$path"
    done
}
written() { # NAME PATH [MODE]: a file of package NAME, from stdin
    mkdir -p "/build/$1${2%/*}"
    cat >"/build/$1$2"
    chmod "${3:-644}" "/build/$1$2"
}
# sshd's unit has another name, and sudo's group as well
other_names() {
    mkdir -p /usr/lib/systemd/system
    systemctl -q disable ssh.service
    sed -e '/^Alias=/d' -e 's/EnvironmentFile=.*/EnvironmentFile=-\/etc\/sysconfig\/sshd/' -e 's/SSHD_OPTS/OPTIONS/' \
        /lib/systemd/system/ssh.service >/usr/lib/systemd/system/sshd.service
    rm -f /lib/systemd/system/ssh.service /lib/systemd/system/ssh.socket /lib/systemd/system/ssh@.service \
        /etc/init.d/ssh /etc/default/ssh
    systemctl -q enable sshd.service
    groupdel sudo
    groupadd -r wheel
}
# Nothing of Debian's package management is left for a script to find.
no_debian() {
    rm -rf /srv/tools /build /etc/apt /var/lib/apt /var/lib/dpkg /var/cache/apt /var/cache/debconf /etc/debian_version \
        /etc/dpkg /usr/sbin/dpkg-* /usr/sbin/policy-rc.d
    rm -f /usr/bin/apt* /usr/bin/dpkg* /usr/bin/debconf* /usr/sbin/update-rc.d /usr/sbin/invoke-rc.d
    rm -f /usr/sbin/adduser /usr/sbin/addgroup /usr/sbin/deluser /usr/sbin/delgroup
}
# What iptables' own unit runs, where the distribution has one.
iptables_service() { # PACKAGE TOOL FILE
    written "$1" "/usr/lib/systemd/system/$2.service" <<END
[Unit]
Description=$2 firewall
Before=network-pre.target
Wants=network-pre.target
After=local-fs.target
AssertPathExists=$3

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/$2-restore -w 5 $3
ExecReload=/usr/sbin/$2-restore -w 5 $3
ExecStop=/bin/sh -c '$2 -w 5 -P INPUT ACCEPT; $2 -w 5 -P FORWARD ACCEPT; $2 -w 5 -F; $2 -w 5 -X'

[Install]
WantedBy=multi-user.target
END
}

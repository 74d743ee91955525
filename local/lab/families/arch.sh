# Arch: pacman, sshd.service, wheel, rules in /etc/iptables/*.rules loaded by units that are off at first.
built=0
make_pkg() { # NAME VERSION LINES…: more lines of .PKGINFO; install script from /build/NAME.install
    name=$1 version=$2
    shift 2
    mkdir -p "/build/$name"
    built=$((built + 1))
    {
        printf 'pkgname = %s\npkgbase = %s\npkgver = %s\npkgdesc = %s as far as the lab needs it\n' \
            "$name" "$name" "$version" "$name"
        printf 'url = https://archlinux.org\nbuilddate = %s\npackager = the lab\nsize = 1\narch = any\n' "$built"
        [ $# -eq 0 ] || printf '%s\n' "$@"
        (cd "/build/$name" && find . -path './etc/*' ! -type d | sed 's|^\./|backup = |')
    } >"/build/$name/.PKGINFO"
    [ ! -f "/build/$name.install" ] || cp "/build/$name.install" "/build/$name/.INSTALL"
    (cd "/build/$name" && bsdtar --uid 0 --gid 0 -czf "/srv/pacman/$name-$version-any.pkg.tar.gz" .PKGINFO \
        $([ ! -f .INSTALL ] || echo .INSTALL) $(ls))
    described "$@"
}
described() { # its entry in the repository's list, as repo-add writes it
    file=$name-$version-any.pkg.tar.gz entry=/build/db/$name-$version
    mkdir -p "$entry"
    {
        printf '%%FILENAME%%\n%s\n\n%%NAME%%\n%s\n\n%%BASE%%\n%s\n\n' "$file" "$name" "$name"
        printf '%%VERSION%%\n%s\n\n%%CSIZE%%\n%s\n\n%%ISIZE%%\n1\n\n' "$version" "$(stat -c %s "/srv/pacman/$file")"
        printf '%%SHA256SUM%%\n%s\n\n' "$(sha256sum "/srv/pacman/$file" | cut -d ' ' -f 1)"
        printf '%%ARCH%%\nany\n\n%%BUILDDATE%%\n%s\n\n%%PACKAGER%%\nthe lab\n\n' "$built"
        [ $# -eq 0 ] || { echo '%DEPENDS%'; printf '%s\n' "$@" | sed -n 's/^depend = //p'; echo; }
    } >"$entry/desc"
}
mkdir -p /srv/pacman /etc/iptables
cat >/usr/lib/os-release <<'END'
NAME="Arch Linux"
PRETTY_NAME="Arch Linux"
ID=arch
BUILD_ID=rolling
ANSI_COLOR="38;2;23;147;209"
HOME_URL="https://archlinux.org/"
END
: >/etc/arch-release
other_names
sed -i 's/^%sudo.*/# %wheel ALL=(ALL:ALL) ALL/' /etc/sudoers

# Registered, with some of their files: what the root has already.
adopted filesystem /usr/lib/os-release /etc/arch-release
make_pkg filesystem 2024.04.07-1
adopted glibc /usr/lib/x86_64-linux-gnu/libc.so.6
make_pkg glibc 2.39-4
adopted bash /usr/bin/bash
make_pkg bash 5.2.026-2 'depend = glibc'
adopted systemd /usr/lib/systemd/systemd /usr/bin/systemctl
make_pkg systemd 255.4-2 'depend = glibc'
adopted python /usr/bin/python3.11
make_pkg python 3.12.3-1 'depend = glibc'
adopted shadow /usr/sbin/useradd /usr/sbin/usermod /usr/sbin/userdel
make_pkg shadow 4.15.1-1 'depend = glibc'
adopted iproute2 /usr/bin/ip /usr/bin/ss
make_pkg iproute2 6.8.0-2 'depend = glibc'
adopted openssh /usr/sbin/sshd /usr/bin/ssh-keygen /etc/ssh/sshd_config /usr/lib/systemd/system/sshd.service
make_pkg openssh 9.7p1-2 'depend = glibc' 'depend = systemd'
adopted sudo /usr/bin/sudo /usr/sbin/visudo /etc/sudoers
make_pkg sudo 1.9.15.p5-2 'depend = glibc'
adopted pacman /usr/bin/pacman /etc/pacman.conf
make_pkg pacman 6.1.0-3 'depend = bash' 'depend = glibc'
# Arch's iptables brings the units and the empty rules along
adopted iptables /usr/sbin/xtables-nft-multi
iptables_service iptables iptables /etc/iptables/iptables.rules
iptables_service iptables ip6tables /etc/iptables/ip6tables.rules
for tool in iptables ip6tables; do
    written iptables "/etc/iptables/$tool.rules" <<END
# Empty $tool rule file
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
COMMIT
END
done
cp -a /build/iptables/usr/lib/systemd/system/. /usr/lib/systemd/system
cp -a /build/iptables/etc/iptables/. /etc/iptables
make_pkg iptables 1:1.8.10-1 'depend = glibc'

unpacked rpcbind rpcbind
rm -rf /build/rpcbind/usr/share
cat >/build/rpcbind.install <<'END'
post_install() {
    getent passwd _rpc >/dev/null || useradd -r -d /run/rpcbind -s /usr/bin/nologin _rpc
}
END
make_pkg rpcbind 1.2.6-3 'depend = glibc' 'depend = libtirpc'
echo 'in its place: the library itself is part of the root' | written libtirpc /usr/lib/libtirpc.lab
make_pkg libtirpc 1.3.4-1 'depend = glibc'

# To be installed by the chapters.
unpacked python-systemd python3-systemd
make_pkg python-systemd 235-3 'depend = python'
unpacked fail2ban fail2ban
rm -rf /build/fail2ban/etc/fail2ban/jail.d /build/fail2ban/etc/logrotate.d
make_pkg fail2ban 1.0.2-5 'depend = python' 'depend = iptables'
unpacked net-tools net-tools
make_pkg net-tools 2.10-2 'depend = glibc'

(cd /build/db && bsdtar --uid 0 --gid 0 -czf /srv/pacman/core.db *)
cat >/etc/pacman.conf <<'END'
[options]
HoldPkg = pacman glibc
Architecture = auto
SigLevel = Never

[core]
Server = file:///srv/pacman
END
pacman -Sy --noconfirm --noprogressbar >/dev/null
for name in filesystem glibc bash systemd python shadow iproute2 openssh sudo pacman iptables; do
    echo "/srv/pacman/$name"-[0-9]*.pkg.tar.gz
done | xargs pacman -U --noconfirm --noprogressbar --dbonly >/dev/null
pacman -S --noconfirm --noprogressbar rpcbind >/dev/null
systemctl -q enable rpcbind.socket rpcbind.service
no_debian

"""The last step of building each variant's root file system, in POSIX sh."""

# As on a real server, the host sets its addresses itself at boot, after loading the firewall (network-pre.target).
LAB_NETWORK_SCRIPT = """\
#!/bin/sh
# The addresses of this lab host. No duplicate address detection: it would cost two seconds at every boot.
set -eu
. /etc/lab-network
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_ra
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set lo up
ip -4 address replace "$IPV4" dev eth0
ip -6 address replace "$IPV6" dev eth0 nodad
ip link set eth0 up
"""

LAB_NETWORK_UNIT = """\
[Unit]
Description=Addresses of the lab host
DefaultDependencies=no
Requires=local-fs.target
After=local-fs.target network-pre.target
Wants=network-pre.target network.target
Before=network.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-network

[Install]
WantedBy=multi-user.target
"""

# Units that cannot work in a container, or have nothing to do there: consoles, hardware, block devices.
USELESS_UNITS = (
    "console-getty.service getty.target dev-hugepages.mount sys-fs-fuse-connections.mount "
    "e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-pstore.service systemd-firstboot.service "
    "systemd-udevd.service systemd-resolved.service"
)

DEBIAN_CUSTOMISE = f"""\
set -eu
cat >/usr/local/sbin/lab-network <<'EOF'
{LAB_NETWORK_SCRIPT}EOF
chmod 755 /usr/local/sbin/lab-network
cat >/etc/systemd/system/lab-network.service <<'EOF'
{LAB_NETWORK_UNIT}EOF
systemctl enable lab-network.service
systemctl mask {USELESS_UNITS}
# a fresh server as many providers leave it: root may log in with a key and with a password
mkdir -p /etc/ssh/sshd_config.d
echo 'PermitRootLogin yes' >/etc/ssh/sshd_config.d/50-provider.conf
rm -f /etc/ssh/ssh_host_* /etc/resolv.conf /etc/apt/sources.list /var/lib/apt/lists/debootstrap*
echo 'deb [trusted=yes] file:/srv/apt ./' >/etc/apt/sources.list
apt-get update </dev/null
apt-get check </dev/null
"""

# A server as hosting providers deliver it: mail, RPC and NTP listen. The real ntpd runs as root, without setting the
# clock, which a container must not.
FRESH_CUSTOMISE = r"""set -eu
apt-get install -y -q --no-install-recommends exim4-daemon-light rpcbind ntpsec </dev/null
mkdir -p /etc/systemd/system/ntpsec.service.d
cat >/etc/systemd/system/ntpsec.service.d/lab.conf <<'END'
[Unit]
ConditionCapability=
[Service]
Type=simple
ExecStart=
ExecStart=/usr/sbin/ntpd -n -g -c /etc/ntpsec/ntp.conf
END
sed -i '1i # a lab host may not set the clock\ndisable ntp kernel' /etc/ntpsec/ntp.conf
"""

# Ubuntu 24.04: ssh.socket starts sshd, on the ports that a generator reads from sshd_config; cloud-init allows
# passwords in a drop-in that is read before others; ufw is installed but inactive; the provider's user may do anything.
UBUNTU_CUSTOMISE = r"""set -eu
apt-get install -y -q --no-install-recommends ufw </dev/null
cat >/usr/lib/os-release <<'END'
PRETTY_NAME="Ubuntu 24.04.3 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
VERSION="24.04.3 LTS (Noble Numbat)"
VERSION_CODENAME=noble
ID=ubuntu
ID_LIKE=debian
HOME_URL="https://www.ubuntu.com/"
UBUNTU_CODENAME=noble
END
cat >/usr/lib/systemd/system/ssh.socket <<'END'
[Unit]
Description=OpenBSD Secure Shell server socket
Before=sockets.target ssh.service
ConditionPathExists=!/etc/ssh/sshd_not_to_be_run

[Socket]
ListenStream=0.0.0.0:22
ListenStream=[::]:22
BindIPv6Only=ipv6-only
Accept=no
FreeBind=yes

[Install]
WantedBy=sockets.target
RequiredBy=ssh.service
END
mkdir -p /usr/lib/systemd/system-generators
cat >/usr/lib/systemd/system-generators/sshd-socket-generator <<'END'
#!/bin/sh
# Ports of sshd_config become those of ssh.socket, as Ubuntu's generator of this name does.
ports=$(cat /etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config |
    sed -n 's/^[Pp]ort[[:space:]]\{1,\}\([0-9]*\).*/\1/p')
[ -n "$ports" ] && [ "$ports" != 22 ] || exit 0
mkdir -p "$1/ssh.socket.d"
{
    echo '[Socket]'
    echo 'ListenStream='
    for port in $ports; do printf 'ListenStream=0.0.0.0:%s\nListenStream=[::]:%s\n' "$port" "$port"; done
} >"$1/ssh.socket.d/addresses.conf"
END
chmod 755 /usr/lib/systemd/system-generators/sshd-socket-generator
systemctl -q disable ssh.service
systemctl -q enable ssh.socket
rm /etc/ssh/sshd_config.d/50-provider.conf
echo 'PermitRootLogin yes' >>/etc/ssh/sshd_config
echo 'PasswordAuthentication yes' >/etc/ssh/sshd_config.d/50-cloud-init.conf
chmod 600 /etc/ssh/sshd_config.d/50-cloud-init.conf
adduser --quiet --disabled-password --gecos Ubuntu ubuntu
adduser --quiet ubuntu sudo
echo 'ubuntu ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/90-cloud-init-users
chmod 440 /etc/sudoers.d/90-cloud-init-users
"""

"""Odd values for each chapter that no config can declare, as people or programs may set them."""

ODD = {
    "Sshd": r"""
printf '%s\n' 'KbdInteractiveAuthentication yes' 'AllowUsers root' 'AllowUsers "*@198.51.100.0/24" odd?user' \
    >/etc/ssh/sshd_config.d/00-by-hand.conf
systemctl reload ssh
""",
    "Fail2Ban": r"""
fail2ban-client set sshd addignoreip 0.0.0.0/0
fail2ban-client set sshd findtime 999999999
printf '[DEFAULT]\nbantime = 3w 2d\n' >/etc/fail2ban/jail.local
""",
    "deploy": r"""
printf '%s\n' 'Defaults:deploy !lecture, passwd_tries = 7' 'User_Alias ODD = deploy, %adm, #1234, +net' \
    'ODD ALL=(ALL:ALL) NOPASSWD: ALL, !/bin/odd x\,y' >/etc/sudoers.d/zz-stockade-deploy
""",
    "guest": r"""
mkdir -p '/srv/odd home'
cp -a ~guest/. '/srv/odd home'
cd '/srv/odd home/.ssh'
gecos='o\\n\\072 d"'
sed -i "s,^guest:.*,guest:x:$(id -u guest):$(id -g guest):$gecos:/srv/odd home:/opt/odd shell," /etc/passwd
printf 'ssh-dss AAAAB3NzaC1kc3M= old\n\377\376\nno key, at "all\n' >>authorized_keys
chmod 4777 authorized_keys
chmod 1777 .
groupadd -f -g 4242 odd.group
usermod -aG odd.group guest
chage -E 1970-01-02 guest
""",
    "ipv4": r"""
iptables -N 'odd{chain'
iptables -A 'odd{chain' -m u32 --u32 '6&0xFF=1' -j RETURN
iptables -I INPUT -m string --algo bm --hex-string '|de ad|' -m comment --comment 'o\d "d' -j 'odd{chain'
iptables -I INPUT -p tcp --dport 5 -m comment --comment "$(printf 'a\n:b - [0:0] "')" -j ACCEPT
iptables -t raw -A PREROUTING -p 139 -j NOTRACK
""",
    "ipv6": "ip6tables -I INPUT -m statistic --mode nth --every 3 --packet 1 -m limit --limit 7/day -j ACCEPT",
    "AutomaticUpdates": r"""
printf '%s\n' 'APT::Periodic::Unattended-Upgrade "always";' 'Unattended-Upgrade::Mail "o\d ${odd}, [x]";' \
    >>/etc/apt/apt.conf.d/99stockade-updates
""",
    "Packages": "apt-mark hold fail2ban sudo",
    "Listeners": r"""
systemd-run -q --unit=odd perl -e 'use Socket; $0=qq{odd: [x] "),pid=1}; socket(S,PF_INET,SOCK_STREAM,0);
    bind(S,sockaddr_in(4445,INADDR_ANY)); listen(S,5); sleep 900'
for i in $(seq 100); do [ -z "$(ss -Htln 'sport = :4445')" ] || exit 0; sleep 0.1; done
exit 1
""",
}
"""Scripts for a lab host, by the resource that shows the drift, as named by `tests.lab.stacks.test_drift.drifted`."""

IN_PLACE = {
    "Sshd": r"""
printf '# \377 by hand\nMaxAuthTries 9\n' >/etc/ssh/sshd_config.d/00-stockade.conf
chmod 666 /etc/ssh/sshd_config.d/00-stockade.conf
systemctl reload ssh
""",
    "Fail2Ban": r"""
ln -sf /dev/null /etc/fail2ban/jail.d/zz-stockade.local
fail2ban-client set sshd maxretry 99
""",
    "guest": r"""
ln -sf /etc/shadow /etc/sudoers.d/zz-stockade-guest
sed -i '/^guest:/d' /etc/group /etc/gshadow
""",
    "ipv4": "rm -f /etc/iptables/rules.v4; mkdir /etc/iptables/rules.v4",
    "ipv6": "ln -sf /etc /etc/iptables/rules.v6",
    "AutomaticUpdates": r"""
printf 'APT::Periodic {' >/etc/apt/apt.conf.d/99stockade-updates
""",
    "Sysctl": "rm -f /etc/sysctl.d/zz-stockade.conf; mkfifo /etc/sysctl.d/zz-stockade.conf",
}
"""The same, of what may be in the place of Stockade's own files."""

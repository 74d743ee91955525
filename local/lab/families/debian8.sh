# Debian 8: systemd 215, apt 1.0, OpenSSH 6.7, iptables 1.4.21, fail2ban 0.8.13, cron for updates.
apt-get install -y -q --no-install-recommends cron rsyslog rpcbind </dev/null
old_debian 8 jessie 11
rm -f /lib/systemd/system/apt-daily* /etc/systemd/system/timers.target.wants/apt-*
old_apt --autoremove
old_iptables 1.4.21 '--wait-interval*'
old_sshd 6.7p1 'include authorizedprincipalscommand authorizedprincipalscommanduser casignaturealgorithms disableforwarding
 exposeauthinfo hostbasedacceptedalgorithms hostbasedacceptedkeytypes hostkeyalgorithms permitlisten
 permituserrc persourcemaxstartups persourcenetblocksize pubkeyacceptedalgorithms pubkeyacceptedkeytypes
 pubkeyauthoptions requiredrsasize securitykeyprovider setenv'
old_ssh_config
without_option /usr/bin/tar --verbatim-files-from
without_option /usr/bin/ss '-H*'
without_option /usr/bin/systemd-run '-q | --quiet | --collect | --on-active* | --timer-property*'
without_option /usr/bin/systemctl --now
rm -f /usr/bin/setpriv

fail2ban_08 0.8.13
mkdir -p /build/fail2ban/lib/systemd/system
cat >/build/fail2ban/lib/systemd/system/fail2ban.service <<'END'
[Unit]
Description=Fail2Ban Service
After=network.target iptables.service firewalld.service

[Service]
Type=forking
ExecStartPre=/bin/mkdir -p /var/run/fail2ban
ExecStart=/usr/bin/fail2ban-client -x start
ExecStop=/usr/bin/fail2ban-client stop
ExecReload=/usr/bin/fail2ban-client reload
PIDFile=/var/run/fail2ban/fail2ban.pid
Restart=always

[Install]
WantedBy=multi-user.target
END
sed -i '/^update-rc/i systemctl --no-reload enable fail2ban.service; systemctl daemon-reload || :' /build/fail2ban/DEBIAN/postinst
make_deb fail2ban 0.8.13-1 'python3, iptables'
repository jessie 'fail2ban_*'
rm -rf /build

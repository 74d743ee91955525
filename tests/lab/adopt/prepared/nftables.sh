# Debian filtered by nftables.service, without sudo, with a mail server and ntpd.
apt-get purge -qy sudo </dev/null >/dev/null 2>&1 || :
install nftables exim4-daemon-light ntpsec
cat >/etc/nftables.conf <<'END'
#!/usr/sbin/nft -f
flush ruleset
table inet house {
    set friends { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 198.51.100.0/24 } }
    chain input {
        type filter hook input priority filter; policy drop;
        iif lo accept
        ct state established,related accept
        ip6 nexthdr icmpv6 accept
        ip saddr @friends tcp dport 22 accept
        tcp dport { 80, 443 } accept comment "web: all"
    }
}
END
systemctl -q enable --now nftables
person frank ''
person grace '' -s /bin/zsh

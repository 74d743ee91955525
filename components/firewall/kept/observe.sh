# Facts about the firewall that $program, ufw or firewalld, manages (KeptFacts).
# uses: hosts/system/services.sh
# takes: program

active=
case $program in
    ufw) ! grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf || active=yes ;;
    *) ! svc_active "$program" || active=yes ;;
esac
section active echo "$active"
for family in ipv4 ipv6; do
    case $family in ipv4) tool=iptables ;; *) tool=ip6tables ;; esac
    section "$family" "$tool-save" -t filter 2>/dev/null || :
done
if [ "$program:$active" = firewalld:yes ]; then
    zones=$(firewall-cmd --list-all-zones)
    section zones printf '%s\n' "$zones"
    section default_zone firewall-cmd --get-default-zone
    begin services
    names=$(printf '%s\n' "$zones" | sed -n -e 's/^  services: *//p' \
        -e 's/.* service name="\([^"]*\)".*/\1/p' | tr ' ' '\n' | sort -u)
    for _round in 1 2 3; do # services that include others
        further=
        for name in $names; do
            case " ${known:-} " in *" $name "*) continue ;; esac
            known="${known:-} $name"
            text=$(firewall-cmd --info-service="$name" 2>/dev/null) || continue
            printf '%s\n' "$text"
            further="$further $(printf '%s\n' "$text" | sed -n 's/^  includes: *//p')"
        done
        names=$further
    done
    end
fi

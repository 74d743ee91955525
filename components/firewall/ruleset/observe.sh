# Facts about the rules of one address family (RulesetFacts).
#
# names: the names in the rules that stand for addresses. Exits: 69 (ABSENT), 85 (UNREADABLE). 16777216 is Limit.RULES.
# uses: components/firewall/boot/boot_file.sh hosts/system/services.sh hosts/system/files.sh hosts/system/origin.sh
# uses: components/firewall/controllers/find.sh components/firewall/controllers/cause.sh
# uses: hosts/system/network.sh components/firewall/boot/places.sh components/firewall/sets/show.sh
# takes: ip_family tool database names

find_boot_file
command -v "$tool-save" >/dev/null || exit 69
whole=yes
saved=$("$tool-save") || whole=
controllers=$(others "$saved")
case $whole:"
$controllers" in :*"
native "*) ;; :*) exit 85 ;; esac
fits 16777216 "what $tool-save prints" "$saved"
section saved printf '%s\n' "$saved"
section entry entry
show_network "$ip_family"
section controller printf '%s\n' "$controllers"
section other show_other
section cause cause "$saved"
section boot_unit svc_enabled "$boot_unit"
begin closed
[ ! -f "$boots/$ip_family.closed" ] || cat "$boots/$ip_family.closed"
end
section sets show_sets
begin look
! looks_at_boot || echo yes
end
begin names
for name in $names; do
    getent "$database" "$name" | while read -r address _; do echo "$name $address"; done
done
end
show_file boot "$boot" 16777216

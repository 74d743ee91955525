# opened    removes what closed the host at boot; the transaction already removed its chains in the tool's own iptables
#
# The names are those of components/firewall/boot/installed.py: NFT_TABLE, CLOSED, CLOSED_FORWARD.
# uses: components/firewall/boot/places.sh
# takes: tool nft_family ip_family

opened() {
    rm -f "$boots/$ip_family.closed"
    ! command -v nft >/dev/null || nft delete table "$nft_family" stockade_closed 2>/dev/null || :
    for _other in "$tool-nft" "$tool-legacy"; do # if the tool of that name was missing then
        for _chain in INPUT:STOCKADE-CLOSED FORWARD:STOCKADE-CLOSED-FORWARD; do
            _jump="-A ${_chain%:*} -j ${_chain#*:}"
            "$_other-save" 2>/dev/null | grep -q -e "^$_jump\$" || continue
            printf '*filter\n-D%s\n-F %s\n-X %s\nCOMMIT\n' "${_jump#-A}" "${_chain#*:}" "${_chain#*:}" |
                "$_other-restore" -n || :
        done
    done
}

# What a host filters with beside iptables, for observation: nftables tables, and the members of sets.
#
# 16777216 is Limit.RULES.
# uses: hosts/system/files.sh

nft=
! command -v nft >/dev/null || nft=$(nft -j list ruleset 2>/dev/null) || nft=
fits 16777216 "what nft prints" "$nft"
section nft printf '%s\n' "$nft"
sets=
! command -v ipset >/dev/null || sets=$(ipset save 2>/dev/null) || sets=
fits 16777216 "what ipset prints" "$sets"
section ipset printf '%s\n' "$sets"

"""nftables tables outside iptables, read as layers of chains in iptables' terms."""

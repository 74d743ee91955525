"""The match and target extensions of iptables: the options of each, and the values these accept."""

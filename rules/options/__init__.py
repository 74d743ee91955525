"""The match and target extensions of iptables: which options each has, and what they take."""

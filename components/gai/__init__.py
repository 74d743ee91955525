"""The preference for IPv4 addresses on a host that denies IPv6."""

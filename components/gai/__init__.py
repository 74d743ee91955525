"""Names tried over IPv4 first, on a host that denies IPv6."""

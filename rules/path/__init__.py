"""The whole way of a packet: through every table and NAT, to the host itself or past it. Pure."""

"""A packet's whole path: through every table and NAT, to the host itself or past it. Pure."""

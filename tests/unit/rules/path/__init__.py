"""The whole way of packets."""

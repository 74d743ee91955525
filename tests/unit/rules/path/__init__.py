"""The whole path of packets."""

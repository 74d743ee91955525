"""Sets of packets: their fields, what a rule matches, and decision diagrams over them."""

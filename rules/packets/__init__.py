"""Sets of packets: their fields, what a rule matches of them, and decision diagrams over them."""

"""Sets of addresses (ipset(8)): created before the rules that refer to them, and removed after them."""

"""Sets of addresses (ipset(8)): they come before the rules that look at them, and go after them."""

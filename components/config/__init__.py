"""The stack config: hosts, how they are reached, and what is wanted of them."""

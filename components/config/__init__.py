"""The stack config: hosts, how to reach them, and the settings declared for them."""

"""A system upgrade: all packages at once, on demand."""

"""The state of a stack: storage, locking and secrets."""

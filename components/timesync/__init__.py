"""The chapter on the daemon that keeps the time."""

"""The chapter on what listens on a host."""

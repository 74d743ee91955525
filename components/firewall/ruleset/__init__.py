"""The chapter on the rules of one address family: read, loaded, restored."""

"""The SSH connection of a host: logging in, becoming root, sending scripts, batching reads."""

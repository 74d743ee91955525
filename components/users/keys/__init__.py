"""~/.ssh/authorized_keys on a host: what its owner can tell of it, and the scripts that read and change it."""

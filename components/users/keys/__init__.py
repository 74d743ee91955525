"""~/.ssh/authorized_keys on a host: what can be known of it, and the scripts that read and change it as its owner."""

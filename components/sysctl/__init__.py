"""The chapter on the kernel's settings that belong to a firewall."""

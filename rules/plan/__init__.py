"""From the rules in the kernel to the declared ones: who owns them, and the smallest edit."""

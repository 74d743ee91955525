"""From the rules that a kernel has to those that are declared: whose they are, and the smallest edit."""

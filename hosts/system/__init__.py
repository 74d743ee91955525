"""What every distribution has in a way of its own: files, services, listeners; which one it is."""

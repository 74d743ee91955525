"""What differs between distributions: files, services, listeners, and which distribution a host runs."""

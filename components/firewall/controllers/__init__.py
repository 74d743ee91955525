"""Other firewalls on a host: detected, taken over, restored."""

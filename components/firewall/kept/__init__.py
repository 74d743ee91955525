"""The chapter on a firewall that another program manages: read and checked, never changed."""

"""The chapter on a firewall that another program manages: read and judged, never changed."""

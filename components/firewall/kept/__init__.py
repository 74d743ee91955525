"""The chapter on a firewall that another program looks after: read and judged, never changed."""

"""The chapter on kernel settings that complement a firewall."""

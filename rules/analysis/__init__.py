"""What a ruleset lets in: reachable services, default-deny, dead and redundant rules."""

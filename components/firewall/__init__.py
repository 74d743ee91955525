"""The chapter on firewalls: rulesets, sets, their load at boot, and who else filters."""

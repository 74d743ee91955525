"""The chapter on firewalls: rulesets, sets, loading them at boot, and other firewalls."""

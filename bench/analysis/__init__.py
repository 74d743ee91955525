"""How long the analysis of rulesets takes, on this machine alone."""

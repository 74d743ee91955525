"""Ready-made rulesets and rules: the guide's, a service's, and those of firewalld's zones."""

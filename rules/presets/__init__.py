"""Rulesets and rules that need not be written: the guide's, a service's, firewalld's zones."""

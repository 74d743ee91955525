"""Policies about what rulesets do, and an explanation of any ruleset. Imports only rules/."""

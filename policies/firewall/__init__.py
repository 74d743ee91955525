"""Policies about rulesets."""

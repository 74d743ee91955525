"""Policies about accounts, logins, packages and services."""

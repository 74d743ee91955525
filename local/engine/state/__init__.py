"""The deployment: where it is stored, how it is locked, what is secret in it."""

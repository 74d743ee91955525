"""The scripts that a host keeps for its next boot."""

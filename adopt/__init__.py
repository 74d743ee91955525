"""Turns live servers into a stack config: reads hosts, changes nothing on them, and writes what they have."""

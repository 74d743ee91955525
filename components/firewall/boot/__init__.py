"""The host's check at boot: if the declared rules are not in force, it closes itself."""

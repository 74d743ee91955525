"""The host looks at its boot whether the declared rules are in force, and closes itself where they are not."""

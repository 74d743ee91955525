"""The chapter on updates: automatic ones, and the system brought up to date."""

"""The chapter on updates: automatic ones, and the one-off system upgrade."""

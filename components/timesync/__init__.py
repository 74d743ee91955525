"""The chapter on the time daemon."""

"""The chapter on the SSH daemon."""

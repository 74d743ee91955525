"""Scripts that ask sudo what it would decide with a drop-in in place."""

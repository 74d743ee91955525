"""`stockade doctor`: is everything there that a run needs, and if not, what to do."""

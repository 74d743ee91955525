"""Changes that go back by themselves unless a fresh login proves them, and the record of what was there before."""

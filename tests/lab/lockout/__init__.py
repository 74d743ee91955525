"""What `tests/lab/test_lockout.py` is made of: points to interfere at, a watcher, scenes, the table of results."""

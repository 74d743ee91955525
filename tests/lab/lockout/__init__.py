"""What `tests/lab/firewall/test_lockout.py` is made of: points of interference, watcher, scenes, results."""

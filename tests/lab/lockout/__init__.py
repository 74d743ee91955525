"""The parts of `tests/lab/firewall/test_lockout.py`: points of interference, watcher, scenes, results."""

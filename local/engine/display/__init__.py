"""The terminal output of a run, and the event log for programs."""

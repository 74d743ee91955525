"""Simulated hosts: many SSH endpoints on loopback addresses that play back what a real host once answered.

`recorder.py` stands between a tool and one real host and notes what is asked and answered (`recording.py`). `player.py`
is the server of all endpoints; `endpoints.py` starts it, in processes of its own, and tells it to be slow, silent or
changed.
"""

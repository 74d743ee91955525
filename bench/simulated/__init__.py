"""Simulated hosts: many SSH endpoints on loopback addresses that replay the recorded answers of a real host.

`recorder.py` is a proxy between a tool and one real host that records questions and answers (`recording.py`).
`player.py` is the server of all endpoints. `endpoints.py` starts it, in its own processes, and makes endpoints slow,
silent or changed.
"""

"""Waiting for an SSH server."""

import contextlib
import socket
import time

from local.lab.errors import LabError

PAUSE = 0.05  # seconds between attempts if connections are refused
ATTEMPT_LIMIT = 2.0


def wait_for_ssh(name: str, address: str, port: int, limit: float) -> None:
    """Wait until the server at `address` sends its SSH banner.

    Args:
        name: name of the host, for the error.
        limit: seconds.

    Raises:
        LabError: it sent none within `limit`.
    """
    deadline = time.monotonic() + limit
    problem: object = "no banner"
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((address, port), timeout=ATTEMPT_LIMIT) as sock:
                if sock.recv(4) == b"SSH-":
                    return
        except OSError as err:
            problem = err
        with contextlib.suppress(ValueError):
            time.sleep(min(PAUSE, deadline - time.monotonic()))
    raise LabError(f"sshd of {name} did not answer on {address} port {port} within {limit:.0f} s: {problem}")

"""Orders to a host's supervisor over a Unix socket in the host's run folder: a word, answered by a line of JSON."""

import contextlib
import json
import socket
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from local.lab.errors import LabError

CONTROL_SOCKET = "control"
ORDER_LIMIT = 180.0  # seconds; the supervisor's own limits are shorter


class Order(Enum):
    """An order to a supervisor."""

    STATUS = "status"
    START = "start"
    RESET = "reset"
    REBOOT = "reboot"
    POWER_CYCLE = "power-cycle"
    DOWN = "down"


@dataclass(frozen=True)
class Reply:
    """The state of a host.

    Attributes:
        state: `running`, `off` (it was shut down from within) or `crashed` (its supervisor is gone).
        init_pid: process id of its init in this machine's PID namespace; 0 unless running.
        supervisor_pid: process id of its supervisor.
        boots: number of boots since it was brought up.
        error: why the order failed; empty if it succeeded.
    """

    state: str
    init_pid: int = 0
    supervisor_pid: int = 0
    boots: int = 0
    error: str = ""

    def encode(self) -> bytes:
        """Encode as one line of JSON."""
        return (json.dumps(asdict(self)) + "\n").encode()


CRASHED = Reply(state="crashed")


def read_line(sock: socket.socket) -> str:
    """Read up to the end of a line, or of the stream."""
    data = b""
    while not data.endswith(b"\n") and (part := sock.recv(4096)):
        data += part
    return data.decode().strip()


def send(host_run: Path, order: Order) -> Reply:
    """Send an order and wait until it is carried out.

    Returns:
        The host's state after it; `CRASHED` if nobody listens.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(ORDER_LIMIT)
        try:
            sock.connect(str(host_run / CONTROL_SOCKET))
            sock.sendall(f"{order.value}\n".encode())
            line = read_line(sock)
        except TimeoutError as err:
            raise LabError(f"the supervisor of {host_run.name} did not answer within {ORDER_LIMIT:.0f} s") from err
        except OSError:
            return CRASHED
        if order is Order.DOWN:
            with contextlib.suppress(OSError):
                read_line(sock)  # the stream ends when the supervisor exits
    if not line:
        return CRASHED
    reply = Reply(**json.loads(line))
    if reply.error:
        raise LabError(reply.error)
    return reply

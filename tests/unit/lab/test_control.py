"""Orders to a supervisor: the client's handling of each kind of answer."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.lab.control import CONTROL_SOCKET, CRASHED, Order, Reply, read_line, send
from local.lab.errors import LabError

Server = Callable[[Callable[[socket.socket], None]], None]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Opens a supervisor's socket in `tmp_path` that handles one client with the given function."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / CONTROL_SOCKET))
    listener.listen(1)
    threads: list[threading.Thread] = []

    def start(treat: Callable[[socket.socket], None]) -> None:
        def serve() -> None:
            client, _ = listener.accept()
            with client:
                treat(client)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(5)
    listener.close()


def test_an_answer_comes_back_as_it_was_sent(tmp_path: Path, server: Server) -> None:
    orders: list[str] = []
    reply = Reply(state="running", init_pid=42, supervisor_pid=7, boots=3)

    def treat(client: socket.socket) -> None:
        orders.append(read_line(client))
        client.sendall(reply.encode())

    server(treat)
    assert send(tmp_path, Order.RESET) == reply
    assert orders == ["reset"]


def test_a_failed_order_is_an_error(tmp_path: Path, server: Server) -> None:
    def treat(client: socket.socket) -> None:
        client.recv(100)  # an answer before the order would reset the connection
        client.sendall(Reply(state="off", error="web1 did not boot: no").encode())

    server(treat)
    with pytest.raises(LabError, match="web1 did not boot: no"):
        send(tmp_path, Order.REBOOT)


def test_nobody_there_is_a_crashed_host(tmp_path: Path) -> None:
    assert send(tmp_path, Order.STATUS) == CRASHED
    (tmp_path / CONTROL_SOCKET).touch()
    assert send(tmp_path, Order.STATUS) == CRASHED


def test_hanging_up_without_an_answer_is_a_crashed_host(tmp_path: Path, server: Server) -> None:
    server(lambda client: client.close())
    assert send(tmp_path, Order.STATUS) == CRASHED


def test_down_waits_for_the_end_of_the_supervisor(tmp_path: Path, server: Server) -> None:
    answered, ended = threading.Event(), threading.Event()

    def treat(client: socket.socket) -> None:
        client.recv(100)
        client.sendall(Reply(state="off").encode())
        answered.set()
        assert ended.wait(5)

    def down() -> None:
        send(tmp_path, Order.DOWN)
        done.set()

    done = threading.Event()
    server(treat)
    thread = threading.Thread(target=down)
    thread.start()
    assert answered.wait(5)
    assert not done.wait(0.1)
    ended.set()
    assert done.wait(5)
    thread.join(5)

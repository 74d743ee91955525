"""Many hosts at once: a slow or dead one does not block the others, and each needs little memory.

The hosts are the bench's simulated ones (bench/simulated/); they replay a recording of this machine's sh.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from bench.simulated.endpoints import Endpoints, SimulatedHost, serving, simulated
from bench.simulated.keys import Keys
from bench.simulated.recording import Recording
from hosts.errors import Unreachable
from hosts.pool import HANDSHAKES, Pool
from hosts.shell import Answer, Script, compose
from hosts.ssh.connection import Connection, HostAccess
from hosts.ssh.privilege import as_root

COUNT = 2 * HANDSHAKES + 8
PORT = 2322
LIMIT = 60
LOOK = Script("look", "section word echo here", timeout=30)

Serving = Callable[[int], Endpoints]


def access(host: SimulatedHost) -> HostAccess:
    login = Connection(host=host.ipv4, port=host.port, private_key_file=str(host.key_file), host_key=host.host_key)
    return HostAccess(name=host.name, admin=login, connect_timeout=LIMIT)


def recorded(file: Path) -> Path:
    """A host's answer to LOOK, from a real shell."""
    run = compose([LOOK], stop_on_failure=False)
    done = subprocess.run(["sh"], input=run.text, capture_output=True, check=True)
    recording = Recording(logins={"root": [True]})
    command = as_root().command
    recording.add(command, run.text, done.stdout, done.stderr, done.returncode)
    recording.save(file)
    return file


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Endpoints]:
    keys = Keys.made(tmp_path / "keys")
    with serving(simulated(COUNT, keys, PORT), keys, 1) as endpoints:
        endpoints.load(recorded(tmp_path / "recording.json"))
        yield endpoints


@pytest.fixture
def ask(pool: Pool) -> Iterator[Callable[[list[SimulatedHost]], list["Future[Answer]"]]]:
    with ThreadPoolExecutor(COUNT) as threads:
        yield lambda hosts: [threads.submit(pool.host(access(host)).read, LOOK) for host in hosts]
        pool.close()  # does not wait for hosts that never answer


def test_silent_hosts_hold_up_nobody(many: Endpoints, ask: Callable[..., list["Future[Answer]"]]) -> None:
    silent, healthy = many.hosts[: HANDSHAKES + 4], many.hosts[HANDSHAKES + 4 :]
    many.door(silent, "silent")
    waiting = ask(silent)
    answers = ask(healthy)
    done, _ = wait(answers, LIMIT, ALL_COMPLETED)
    assert [answer.result().sections["word"] for answer in done] == ["here\n"] * len(healthy)
    assert not any(answer.done() for answer in waiting)


def test_a_host_that_refuses_connections_holds_up_nobody(
    many: Endpoints, ask: Callable[..., list["Future[Answer]"]]
) -> None:
    dead, healthy = many.hosts[0], many.hosts[1:]
    many.door([dead], "shut")
    [never] = ask([dead])
    wait(answers := ask(healthy), LIMIT, ALL_COMPLETED)
    assert all(answer.result().status == 0 for answer in answers)
    assert not never.done(), "it is still being tried"


def test_a_slow_host_holds_up_nobody(many: Endpoints, ask: Callable[..., list["Future[Answer]"]]) -> None:
    slow, healthy = many.hosts[0], many.hosts[1:]
    many.behave([slow], delay=25)
    [late] = ask([slow])
    wait(answers := ask(healthy), LIMIT, ALL_COMPLETED)
    assert all(answer.result().status == 0 for answer in answers)
    assert not late.done()
    assert not wait([late], 0.01, FIRST_COMPLETED).done


def test_a_dead_host_is_given_up_and_named(many: Endpoints, pool: Pool) -> None:
    many.door(many.hosts[:1], "shut")
    way = access(many.hosts[0]).model_copy(update={"connect_timeout": 1})
    with pytest.raises(Unreachable, match="host0001"):
        pool.host(way).read(LOOK)


_READ_ALL = """\
import sys
from pathlib import Path
from bench.simulated.endpoints import simulated
from bench.simulated.keys import Keys
from hosts.pool import connection_pool
from tests.ssh.test_many_hosts import LOOK, PORT, access
for host in simulated(int(sys.argv[1]), Keys(Path(sys.argv[2])), PORT, sys.argv[3]):
    connection_pool().host(access(host)).read(LOOK)
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024)
"""


def test_a_further_host_costs_little_memory(many: Endpoints, tmp_path: Path) -> None:
    def peak(count: int) -> int:
        argv = [sys.executable, "-c", _READ_ALL, str(count), str(tmp_path / "keys"), many.hosts[0].ipv4]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
        return int(done.stdout)

    each = (peak(COUNT) - peak(4)) / (COUNT - 4)
    assert each < 1e6, "bytes for each connection that is kept open"
    assert many.seen().connections == COUNT + 4

"""The cost of the guard without faults: `python -m tests.lab.lockout.cost NAME`, with a running lab host of that name.

Times a change that does nothing, with and without the guard: the difference is arming, the new login and the commit.
"""

import statistics
import sys
import time
from collections.abc import Callable

from components.core.change import Change
from hosts.guard.guarded import Guard, hold
from hosts.pool import connection_pool
from hosts.shell import Script
from hosts.ssh.connection import HostAccess
from local.lab.api import Lab

TIMES = 20


def measure(name: str) -> tuple[float, float]:
    """Return the medians in seconds, without and with the guard."""
    lab = Lab().host(name)
    login = {"host": lab.ipv4, "hostKey": lab.host_key, "privateKeyFile": str(lab.key_file)}
    host = connection_pool().host(HostAccess.model_validate({"name": name, "bootstrap": login}))
    nothing = Script("change nothing", "\narm\n:")

    def plain() -> None:
        Change(host, "cost", None, host.confirm_everywhere).run(nothing)

    def guarded() -> None:
        change = Change(host, "cost", Guard("", ":"), host.confirm_everywhere)
        change.run(nothing)
        change.keep(hold(host.identity))

    plain()
    return _median(plain), _median(guarded)


def _median(work: Callable[[], None]) -> float:
    times = []
    for _ in range(TIMES):
        begun = time.monotonic()
        work()
        times.append(time.monotonic() - begun)
    return statistics.median(times)


if __name__ == "__main__":
    without, with_guard = measure(sys.argv[1])
    print(f"without {without:.2f} s, with {with_guard:.2f} s: the guard costs {with_guard - without:.2f} s")

"""What a run costs, in counts: programs that start on a host, its sessions, resources, bytes of state."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Stack
from tests.lab.traced import SSHD, programs, trace, traced

PACKAGES = "strace sudo iptables-persistent fail2ban python3-systemd unattended-upgrades"
LOGIN_SHELL = "bash"
RECORDED = {"first up": 1205, "nothing to do": 0, "refresh": 185}
"""Programs that the whole guide starts on a host that has its packages already; those that only wait do not count. A
change that needs more says so here."""
SESSIONS = {"first up": 23, "nothing to do": 0, "refresh": 3}
"""Of these, the login shell that sshd starts for each session: round trips that wait for an answer."""
STATE = {"resources": 14, "bytes": 52572}
"""Of one host, its component and the stack."""
ALLOWED = 1.05
"""How much more it may be: what is waited for is asked again, and a slow machine asks more often."""


def test_no_run_starts_more_programs_than_before(bring_up: Callable[[str], LabHost], tmp_path: Path) -> None:
    host = bring_up("counted1")
    host.exec(f"DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends {PACKAGES} </dev/null")
    key = str(tmp_path / "key")
    stack = Stack(tmp_path / "project")
    stack.configure(
        hosts={host.name: entry(host, admin={"user": "deploy", "privateKeyFile": key})},
        keyPair={"path": key, "type": "ed25519"},
        users=[{"name": "deploy", "sudo": "nopasswd"}],
        **{chapter: {} for chapter in ("firewall", "sysctl", "sshd", "fail2ban", "updates", "listeners")},
    )
    started: dict[str, list[str]] = {}
    for name, run in (("first up", stack.up), ("nothing to do", stack.up), ("refresh", stack.refresh)):
        trace(host, SSHD)
        run()
        started[name] = [program for program in programs(traced(host)) if program != "sleep"]
    counts = {name: len(names) for name, names in started.items()}
    more = {name: Counter(started[name]).most_common() for name in counts if counts[name] > ALLOWED * RECORDED[name]}
    assert not more, counts
    sessions = {name: started[name].count(LOGIN_SHELL) for name in started}
    assert all(sessions[name] <= ALLOWED * SESSIONS[name] for name in sessions), sessions
    assert sessions["first up"] > sessions["refresh"] > 0, "sessions were not seen"
    state = {"resources": len(stack.state()), "bytes": len(json.dumps(stack.state()))}
    assert all(state[what] <= ALLOWED * STATE[what] for what in state), state
    assert counts["refresh"] > 100, "not all of it was traced"

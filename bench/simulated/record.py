"""Records one real host: a tool does its job through the recorder, which keeps the questions and answers."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.job import FRESH, Job
from bench.simulated.endpoints import PORT, simulated
from bench.simulated.keys import Keys
from bench.simulated.recorder import Real, recording
from bench.tools.base import Phase, Tool
from local.lab.api import LabHost

LIMIT = 600
OPEN = (PORT,)
"""Also opened by the job: the simulated hosts' SSH port, or else Stockade would refuse to lock itself out."""


def record(kind: type[Tool], host: LabHost, keys: Keys, folder: Path, *, phases: Sequence[Phase], keep: Path) -> None:
    """Let a tool harden a fresh lab host, then run `phases` through the recorder; `keep` gets the recording.

    For Stockade, the first apply is recorded too: its answers are identified by question, not by order. Raises
    RuntimeError if the tool fails.
    """
    host.reset()
    host.exec(FRESH)
    host.exec(f"install -d -m 700 /root/.ssh; echo '{keys.user_line}' >>/root/.ssh/authorized_keys")
    real = Real(host.ipv4, host.host_key, (str(keys.user_file),))
    places = simulated(1, keys)
    job = Job(keys.user_line, OPEN)
    ours = kind.name.startswith("stockade")
    if not ours:  # others upload files, and ask the same questions in another order later
        _run(kind(folder.with_name("first"), [host]), Phase.FIRST, job)
    with recording(real, keys, places[0].ipv4, PORT) as recorder:
        tool = kind(folder, places)
        for phase in (Phase.FIRST, *phases) if ours else phases:
            _run(tool, phase, job)
        recorder.recording.save(keep)


def _run(tool: Tool, phase: Phase, job: Job) -> None:
    tool.write(job, phase)
    argv = tool.argv(phase)
    assert argv is not None
    try:
        done = subprocess.run(
            argv,
            cwd=tool.folder,
            env=tool.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    finally:
        tool.close()
    if done.returncode:
        raise RuntimeError(f"{tool.name}, {phase.value}: exit status {done.returncode}\n{done.stdout}{done.stderr}")

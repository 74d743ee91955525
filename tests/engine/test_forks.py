"""Processes from the fork server behave like new ones, but load nothing again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from local.engine.processes.forks import Forked, Request, fork_server

from .conftest import ROOT, STACK, TIME_LIMIT, Sample

SCRIPT = """\
import os, sys
sys.stderr.write("told\\n")
print(sys.argv[1:], os.getcwd(), os.environ["SAID"], sys.path[0], os.getppid(), "items" in sys.modules, input())
sys.exit(7)
"""
PROGRAM = """\
import os, sys
import pulumi
from items import Item
Item("a", {})
print("parent", os.getppid(), pulumi.get_stack())
"""


@pytest.fixture
def forks(sample: Sample) -> Iterator[Mapping[str, str]]:
    """The environment of a fork server that has loaded the sample project's module."""
    with fork_server(sample.folder, ["items", "not.there"]) as variables:
        yield {**os.environ, **sample.environment, **variables}


def _forked(sample: Sample, forks: Mapping[str, str], *words: str, cwd: Path = ROOT, **more: str) -> Forked:
    return Request(words, python=sys.executable, folder=sample.folder, cwd=cwd, env={**forks, **more}).answered()


def test_a_fork_is_what_python_would_be(sample: Sample, forks: Mapping[str, str], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    parents = set()
    for said in ("one", "two"):
        with _forked(sample, forks, str(script), "a", "b c", cwd=sample.folder, SAID=said) as process:
            process.stdin.write("given\n")
            process.stdin.flush()
            words = process.stdout.read().split()
            assert process.stderr.read() == "told\n"
            assert process.wait() == 7
        shown = ["['a',", "'b", "c']", str(sample.folder), said, str(tmp_path)]
        assert words == [*shown, words[-3], "True", "given"]
        parents.add(words[-3])
    assert len(parents) == 1
    assert int(parents.pop()) != os.getpid()


def test_a_signal_ends_it_and_is_told(sample: Sample, forks: Mapping[str, str], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('there', flush=True)\ninput()")
    with _forked(sample, forks, str(script)) as process:
        assert process.stdout.readline() == "there\n"
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.send_signal(signal.SIGKILL)  # the process is gone


def test_one_that_outlives_the_server_is_there_until_it_ends(sample: Sample, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('there', flush=True)\ninput()")
    with fork_server(sample.folder, []) as variables:
        process = _forked(sample, {**os.environ, **variables}, str(script))
        assert process.stdout.readline() == "there\n"
    with process:
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait() == -signal.SIGKILL  # nobody knows its status any more


def test_nothing_is_left_of_it_where_its_user_was_killed(sample: Sample) -> None:
    code = "import os, sys; from pathlib import Path; from local.engine.processes.forks import ADDRESS, ForkServer; "
    code += "print(ForkServer(Path(sys.argv[1]), []).environment[ADDRESS], flush=True); os.kill(os.getpid(), 9)"
    argv = [sys.executable, "-c", code, str(sample.folder)]
    shown = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False).stdout
    folder = Path(shown.strip()).parent
    assert folder.name.startswith("pulumi-forks-")
    limit = time.monotonic() + TIME_LIMIT
    while folder.exists():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_fault_is_shown_as_python_shows_it(sample: Sample, forks: Mapping[str, str], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("raise ValueError('as it is')")
    with _forked(sample, forks, str(script)) as process:
        assert process.stderr.read().endswith("ValueError: as it is\n")
        assert process.wait() == 1


def test_what_would_not_be_the_same_is_refused(sample: Sample, forks: Mapping[str, str], tmp_path: Path) -> None:
    with pytest.raises(OSError, match="another project"):
        Request(["-m", "this"], python=sys.executable, folder=tmp_path, cwd=ROOT, env=forks).answered()
    with pytest.raises(OSError, match="another Python"):
        Request(["-m", "this"], python=str(tmp_path / "python"), folder=sample.folder, cwd=ROOT, env=forks).answered()


def test_the_processes_of_a_run_are_forks(sample: Sample, forks: Mapping[str, str]) -> None:
    """The server is the parent of the program and the engine; without one, the engine is the program's parent."""
    (sample.folder / "__main__.py").write_text(PROGRAM)
    words = ["-m", "local.engine", "up", "--yes", "--skip-preview", "--create", "--cwd", str(sample.folder)]
    parents = set()
    for _ in range(2):
        with _forked(sample, forks, *words, "--stack", STACK) as engine:
            out, err = engine.stdout.read(), engine.stderr.read()
            assert engine.wait() == 0, out + err
        parents.add(out.split("parent ")[1].split()[0])
    assert len(parents) == 1
    assert "2 unchanged" in out
    assert sample.engine("up", "--yes", "--skip-preview").split("parent ")[1].split()[0] not in parents


PROVIDER = """\
import os, runpy, sys, threading
open("world/provider", "w").write(str(os.getppid()))
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
runpy.run_module("pulumi.dynamic", run_name="__main__")
"""


@pytest.mark.parametrize("fault", ["", "raise ValueError('not loaded')"])
def test_a_run_loads_once_what_its_program_and_its_provider_share(sample: Sample, fault: str) -> None:
    (sample.folder / "__main__.py").write_text(PROGRAM)
    (sample.folder / "provider" / "__main__.py").write_text(PROVIDER)
    shared = sample.folder / "provider" / "shared.py"
    shared.write_text(f"import os\nopen('{sample.world}/shared', 'a').write(f'{{os.getpid()}}\\n')\n{fault}")
    shown = sample.engine("up", "--yes", "--skip-preview")
    parents = shown.split("parent ")[1].split()[0], (sample.world / "provider").read_text()
    assert "2 created" in shown
    assert "not loaded" not in shown
    [loader] = (sample.world / "shared").read_text().split()
    assert parents == (loader, loader)
    assert not Path(f"/proc/{loader}").exists()


def test_it_ends_with_its_block_and_a_new_process_does_the_same(sample: Sample) -> None:
    with fork_server(sample.folder, []) as variables:
        pass
    with pytest.raises(OSError, match="No such file"):
        _forked(sample, {**os.environ, **variables}, "-m", "this")
    sample.spec({"a": {}})
    sample.environment.update(variables)
    assert "2 created" in sample.engine("up", "--yes", "--skip-preview")

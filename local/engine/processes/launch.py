"""Finds and starts the program and the plugins, with the environment that the Pulumi CLI gives them.

Processes take half a second to be ready, so they are started before the engine loads gRPC itself. That is why this
module imports nothing heavy, and why the engine's port is reserved before its server runs.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from local.engine.errors import EngineError, UnsupportedError
from local.engine.processes.forks import ADDRESS, ForkServer, Request
from local.engine.processes.process import Process
from local.engine.state.project import Project

DYNAMIC = "pulumi-python"
RUNNER = Path(__file__).with_name("runner.py")
EXPORT = "STOCKADE_EXPORT"
"""The environment variable with the command that prints a state; the stack's name is added (provider/exported.py)."""
HALTED = "STOCKADE_HALTED"
"""The environment variable that says that the state names operations of a killed run (provider/interrupted.py)."""
_REPOSITORY = Path(__file__).resolve().parents[3]
_EXPORT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from local.engine.cli import main; "
    "sys.exit(main(['export', '--cwd', *sys.argv[2:]]))"
)


class Launcher:
    """Starts the processes of one run. `stop` ends those that nobody took.

    `parallel`: the operations that the engine runs at once.
    """

    def __init__(self, project: Project, parallel: int = 0) -> None:
        self.project = project
        self._parallel = parallel
        self.environment = program_environment(project)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._spare: dict[str, Process] = {}
        self._started: list[Process] = []
        self._forks: ForkServer | None = None

    def bound(self) -> None:
        """Release the reserved port: the server has bound it."""
        self._socket.close()

    def prestart(self, package: str) -> None:
        """Start a plugin that will probably be needed."""
        self._spare[package] = self._start_plugin(package)

    def plugin(self, package: str) -> Process:
        """A process of a package's plugin."""
        return self._spare.pop(package, None) or self._start_plugin(package)

    def _start_plugin(self, package: str) -> Process:
        options = {f"PULUMI_RUNTIME_{key.upper()}": value for key, value in self.project.runtime_options.items()}
        environment = self.environment | options | {"PULUMI_PROJECT": self.project.name, "PULUMI_CONFIG": "{}"}
        environment["PULUMI_PARALLEL"] = str(self._parallel)  # where the CLI reads it, too
        environment[EXPORT] = json.dumps([sys.executable, "-c", _EXPORT, str(_REPOSITORY), str(self.project.root)])
        command = plugin_command(self.project, package)
        words = _python_words(self.project, command)
        return self.start([*command, self.address], self._program_folder, environment, words and [*words, self.address])

    def start(
        self, argv: list[str], folder: Path, environment: Mapping[str, str], words: Sequence[str] = ()
    ) -> Process:
        """Start a process of the run. If `words` (the arguments of Python) are given and there is a fork server, the
        process is forked."""
        process = Process(argv, cwd=folder, env=environment, request=self._request(words, folder, environment))
        self._started.append(process)
        return process

    def _request(self, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Request | None:
        if not words or ADDRESS not in environment:
            return None
        python, root = python_of(self.project), self.project.root
        try:
            return Request(words, python=python, folder=root, cwd=folder, env=environment)
        except OSError:
            return None  # the server is gone: use a new process

    def program_and(self, package: str) -> Process:
        """The program's process, started with a plugin that will probably be needed: what both import (the plugin's
        module `shared`) is loaded once."""
        self._share(package)
        self.prestart(package)
        program = self.program()
        if self._forks is not None:
            del self.environment[ADDRESS]
            self._forks.retire()
        return program

    def _share(self, package: str) -> None:
        """Start a fork server for both, unless the plugin does not run in the project's Python, the program is in
        another directory than the project, or there already is a server."""
        words = _python_words(self.project, plugin_command(self.project, package))
        same = Path(python_of(self.project)).parent.resolve() == Path(sys.executable).parent.resolve()
        beside = self._program_folder.resolve() == self.project.root.resolve()
        if not (words and same and beside) or ADDRESS in self.environment:
            return
        with suppress(OSError):  # then use new processes
            self._forks = ForkServer(self.project.root, ["pulumi", words[1], f"{words[1]}.shared"])
            self.environment |= self._forks.environment

    def program(self) -> Process:
        """A process of the program; it waits for its settings on stdin."""
        argv = [python_of(self.project), "-u", str(RUNNER)]
        return self.start(argv, self._program_folder, self.environment, [str(RUNNER)])

    @property
    def _program_folder(self) -> Path:
        main = self.project.main
        return main if main.is_dir() else main.parent

    def stop(self) -> None:
        """End the processes that nobody took."""
        for process in self._spare.values():
            process.stop()

    def close(self) -> None:
        """End the fork server; the run's processes have ended by now."""
        if self._forks is not None:
            self._forks.close()

    def kill(self) -> None:
        """End all processes at once."""
        for process in self._started:
            process.kill()


def plugin_command(project: Project, package: str) -> list[str]:
    """The command that starts a package's plugin (the engine's address comes after it).

    Searched in the CLI's order: `plugins.providers` and `packages` of Pulumi.yaml, then PATH; then, for dynamic
    providers, the SDK's module.
    Raises UnsupportedError for a plugin that is not found (the CLI would download it).
    """
    file = f"pulumi-resource-{package}"
    if package in project.plugins:
        return [str(Path(os.path.normpath(project.plugins[package])) / file)]
    if package in project.packages:  # as `pulumi install` sets it up, or in this Python, which has what it needs
        folder = Path(os.path.normpath(project.packages[package]))
        own = folder / "venv" / "bin" / "python"
        return [str(own) if own.is_file() else sys.executable, "-u", str(folder)]
    found = shutil.which(file)
    if found:
        return [found]
    if package == DYNAMIC:
        return [python_of(project), "-u", "-m", "pulumi.dynamic"]
    raise UnsupportedError(f"the provider package {package!r}, whose plugin {file} is not on PATH,")


def _python_words(project: Project, command: Sequence[str]) -> list[str]:
    """The arguments of `python` for the SDK's own plugin, or for a plugin of the project that is a package to run."""
    if command[0] == python_of(project) and "-m" in command:
        return list(command[2:])
    package = Path(command[0]).parent
    own = package.parent.resolve() == project.root.resolve() and (package / "__main__.py").is_file()
    return ["-m", package.name] if own else []


def python_of(project: Project) -> str:
    """The Python that runs the program: the project's virtual environment, or the engine's own."""
    if project.virtualenv is None:
        return sys.executable
    python = project.virtualenv / "bin" / "python"
    if not python.is_file():
        raise EngineError(f"Pulumi.yaml: the virtual environment {project.virtualenv} has no bin/python")
    return str(python)


def program_environment(project: Project) -> dict[str, str]:
    """The environment of the program and the plugins, with the project's virtual environment active."""
    environment = dict(os.environ)
    if project.virtualenv is not None:
        environment["VIRTUAL_ENV"] = str(project.virtualenv)
        environment["PATH"] = f"{project.virtualenv / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
        environment.pop("PYTHONHOME", None)
    return environment

"""The file backend: Pulumi's own layout (`.pulumi/stacks/<project>/<stack>.json`), with locks and atomic writes."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import platform
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from hosts.text.private import close_to_others
from local.engine.errors import EngineError
from local.engine.state.secrets import Crypter
from local.engine.state.state import Encoder, Snapshot, decode_deployment, decode_resource, now

_LOCK_WRITE_LIMIT = 60.0


class Backend:
    """Stores the state of one stack."""

    def __init__(self, folder: Path, project: str, stack: str) -> None:
        self.root = folder / ".pulumi"
        self.project = project
        self.stack = stack
        self.file = self.root / "stacks" / project / f"{stack}.json"
        self._locks = self.root / "locks" / "organization" / project / stack

    def exists(self) -> bool:
        """Whether the stack has been created."""
        return self.file.is_file()

    def mentions(self, text: str) -> bool:
        """Whether a text occurs in the state, without parsing it."""
        return self.exists() and text in self.file.read_text()

    def read(self) -> dict[str, Any]:
        """The stack's latest deployment as JSON data, empty for a new stack; raises EngineError if it is unreadable."""
        if not self.exists():
            return {}
        try:
            document = json.loads(self.file.read_text())
        except ValueError as error:
            raise EngineError(f"the state file {self.file} is damaged: {error}") from None
        if document.get("version") != 3:
            raise EngineError(f"the state file {self.file} has version {document.get('version')}, not 3")
        latest = document.get("checkpoint", {}).get("latest")
        return latest if isinstance(latest, dict) else {}

    def write(self, deployment: str) -> None:
        """Replace the stack's state with a deployment (JSON text), atomically; it is on disk when this returns."""
        self._prepare()
        name = json.dumps(f"organization/{self.project}/{self.stack}")
        text = f'{{"version":3,"checkpoint":{{"stack":{name},"latest":{deployment}}}}}'
        write_atomically(self.file, text)

    def backup(self) -> None:
        """Keep a copy of the state before this run beside it, as the CLI does."""
        if self.exists():
            shutil.copy2(self.file, self.file.with_name(self.file.name + ".bak"))

    def _prepare(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        meta = self.root / "meta.yaml"
        if not meta.exists():
            write_atomically(meta, "version: 1\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the stack's lock; raises EngineError, naming the holder, if it is taken.

        Between embedded engines, the lock is flock(2) on the directory, which ends with its process. The file in it is
        the CLI's lock, so that each engine sees the other's. A file of a dead process of this machine is removed.
        """
        self._locks.mkdir(parents=True, exist_ok=True)
        folder = os.open(self._locks, os.O_RDONLY | os.O_DIRECTORY)
        close_to_others(folder)
        mine = self._locks / f"{uuid4()}.json"
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EngineError(self._held()) from None
            self._remove_stale()
            if any(self._locks.glob("*.json")):
                raise EngineError(self._held())
            holder = {"pid": os.getpid(), "username": _user(), "hostname": platform.node(), "timestamp": now()}
            mine.write_text(json.dumps(holder))
            yield
        finally:
            mine.unlink(missing_ok=True)
            os.close(folder)

    def _remove_stale(self) -> None:
        for file in self._locks.glob("*.json"):
            holder = _holder(file)
            if holder.get("hostname") == platform.node() and not _alive(holder.get("pid")):
                file.unlink(missing_ok=True)

    def holders(self) -> list[str]:
        """Who holds the stack's lock, without those that have died on this machine."""
        found = [_holder(file) for file in self._locks.glob("*.json")]
        return [_who(one) for one in found if one.get("hostname") != platform.node() or _alive(one.get("pid"))]

    def _held(self) -> str:
        lines = [f"the stack is currently locked by another update; wait for it to end, or remove {self._locks}/*.json"]
        lines += (f"  {file}: created by {_who(_holder(file))}" for file in self._locks.glob("*.json"))
        return "\n".join(lines)


def _who(holder: Mapping[str, Any]) -> str:
    user, place = holder.get("username"), holder.get("hostname")
    return f"{user}@{place} (pid {holder.get('pid')}) at {holder.get('timestamp')}"


def _holder(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _alive(pid: object) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def write_atomically(file: Path, text: str, mode: int = 0o600) -> None:
    """Write a file atomically: readers find its old or its new content."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", newline="") as out:
            os.fchmod(descriptor, mode)
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load(backend: Backend, crypter: Crypter, encoder: Encoder, given: dict[str, Any] | None = None) -> Snapshot:
    """The stack's snapshot, or that of a given deployment; resources keep the text that they were read from."""
    data = backend.read() if given is None else given
    kind = (data.get("secrets_providers") or {}).get("type", "passphrase")
    if kind != "passphrase":
        raise EngineError(f"the state is encrypted by the secrets provider {kind!r}, not by a passphrase")
    salt = salt_of_state(data)
    if salt is None or salt == crypter.salt:
        snapshot = decode_deployment({**data, "resources": []}, crypter)
        resources = []
        for item in data.get("resources") or ():
            resource = decode_resource(item, crypter)
            encoder.keep(resource, item)
            resources.append(resource)
        return Snapshot(tuple(resources), snapshot.pending)
    return decode_deployment(data, Crypter(salt, crypter.phrase))


def salt_of_state(data: dict[str, Any]) -> str | None:
    """The salt of the secrets in a deployment."""
    providers = data.get("secrets_providers") or {}
    salt = (providers.get("state") or {}).get("salt")
    return None if not salt else str(salt)


class Writer:
    """Writes the newest snapshot in its own thread; changes in quick succession share one write."""

    def __init__(self, backend: Backend, encoder: Encoder, newest: Callable[[], Snapshot]) -> None:
        self._backend = backend
        self._encoder = encoder
        self._newest = newest
        self._condition = threading.Condition()
        self._offered = 0
        self._written = 0
        self._closed = False
        self._abandoned = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def offer(self) -> int:
        """Schedule a write of the newest snapshot; returns a number to wait for."""
        with self._condition:
            self._offered += 1
            if self._thread is None:
                self._backend.backup()
                self._thread = threading.Thread(target=self._run, name="state writer")
                self._thread.start()
            self._condition.notify_all()
            return self._offered

    def wait(self, number: int) -> None:
        """Wait until that state, or a newer one, is on disk; raises EngineError if it cannot be written."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._written >= number or self._error, _LOCK_WRITE_LIMIT):
                raise EngineError(f"writing the state file {self._backend.file} takes too long")
            if self._error:
                raise EngineError(f"cannot write the state file {self._backend.file}: {self._error}")

    def close(self) -> None:
        """Write pending changes and stop."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
            thread, number = self._thread, self._offered
        if thread:
            thread.join()
            self.wait(number)

    def abandon(self) -> None:
        """Drop pending writes, except one in progress; returns at once."""
        self._abandoned = True

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closed or self._offered > self._written)
                if self._offered == self._written:
                    return
                number = self._offered
            try:
                text = self._encoder.deployment(self._newest())
                if self._abandoned:
                    return
                self._backend.write(text)
            except BaseException as error:
                with self._condition:
                    self._error = error
                    self._condition.notify_all()
                return
            with self._condition:
                self._written = number
                self._condition.notify_all()

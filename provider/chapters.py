"""Imports what operations need while the engine is still starting the program; this takes half a second."""

import importlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.failure import Failure
from provider.structs import plain

_COMPONENTS = Path(__file__).resolve().parents[1] / "components"
CHAPTERS = tuple(
    ".".join(file.relative_to(_COMPONENTS).with_suffix("").parts)
    for file in sorted(_COMPONENTS.rglob("resource.py"))
    if "(HostProvider[" in file.read_text("utf-8")
)
"""Modules of `components` with a provider: `resource.py` of each chapter whose resources are on hosts."""
_ON_HOSTS = frozenset({"Create", "Read", "Update", "Delete"})
"""Operations that log in."""


def load_chapter(name: str) -> None:
    """Import a chapter."""
    importlib.import_module(f"components.{name}")


def load_client() -> None:
    """Import the SSH client and the code that finds the login of a host."""
    importlib.import_module("hosts.pool")
    importlib.import_module("components.config.inventory")


class Chapters:
    """Makes operations wait until the chapters are imported: they need most of them, and compete for one CPU.

    The SSH client is imported only in a run that does something on a host. If one will be read, the client comes before
    the chapters: the login runs during their import, because the host uses its own CPUs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client_wanted = threading.Event()
        self._client = threading.Event()
        self._all = threading.Event()
        self._all.set()
        self._called: set[str] = set()

    def load(self) -> None:
        """Start the import."""
        self._all.clear()
        threading.Thread(target=self._load, daemon=True).start()

    def _load(self) -> None:
        try:
            for chapter in CHAPTERS:
                if self._client_wanted.is_set():
                    self._load_client()
                load_chapter(chapter)
        finally:  # if an import fails, each operation reports it
            self._all.set()
            self._client_wanted.wait()
            self._load_client()

    def expect_login(self) -> None:
        """Import the SSH client as well: an operation will soon need it."""
        self._client_wanted.set()

    def _load_client(self) -> None:
        if self._client.is_set():
            return
        try:
            load_client()
        finally:
            self._client.set()

    def wait(self, operation: str, request: Any, config: Mapping[str, Any]) -> None:
        """Wait until an operation can start. `config`: the stack's, as sent by the engine."""
        if operation in _ON_HOSTS:
            self.expect_login()
        if operation == "Read" and not self._all.is_set():
            self._client.wait()
            self._connect_early(request, config)
        self._all.wait()

    def _connect_early(self, request: Any, config: Mapping[str, Any]) -> None:
        from components.config.inventory import Inventory, way_to
        from hosts.pool import connection_pool

        props = plain(request.properties) or {}
        host = props.get("host")
        with self._lock:
            if not isinstance(host, str) or host in self._called:
                return
            self._called.add(host)
        project = os.environ.get("PULUMI_PROJECT", "project")
        try:
            access = way_to(host, Inventory.of(lambda name: config.get(f"{project}:{name}")), props.get("connection"))
        except (Failure, ValidationError):
            return  # the operation itself will report it
        if access is not None:
            connection_pool().connect_early(access)

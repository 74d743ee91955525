"""The plugin as the engine meets it: it loads the rest of itself when it is asked for more than its schema.

For a program in YAML, the CLI starts a second plugin, for nothing but the schema.
"""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pulumi.runtime import proto
from pulumi.runtime.proto import ResourceProviderServicer

from provider.ancestors import EXPORT
from provider.serving import end, serve

FILE = Path(__file__).with_name("schema.json")


def released() -> str:
    """Return the version that plugin/schema.json has; a released plugin has no pyproject.toml."""
    return str(json.loads(FILE.read_text("utf-8"))["version"])


def _loaded() -> ResourceProviderServicer:
    from plugin.server import plugin

    return plugin()


class Front(ResourceProviderServicer):
    """Passes everything but the schema on to the plugin that `load` returns."""

    def __init__(self, load: Callable[[], ResourceProviderServicer] = _loaded) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._found: list[ResourceProviderServicer] = []

    def load(self) -> ResourceProviderServicer:
        """Load the plugin, if it is not loaded yet."""
        with self._lock:
            if not self._found:
                self._found.append(self._load())
            return self._found[0]

    def GetSchema(self, _request: Any, _context: Any) -> Any:
        return proto.GetSchemaResponse(schema=FILE.read_text("utf-8"))

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:
        return proto.PluginInfo(version=released())


PASSED_ON = (
    "CheckConfig",
    "DiffConfig",
    "Configure",
    "Check",
    "Diff",
    "Create",
    "Read",
    "Update",
    "Delete",
    "Cancel",
    "Construct",
)


def _passed_on(name: str) -> Callable[[Front, Any, Any], Any]:
    return lambda self, request, context: getattr(self.load(), name)(request, context)


for _name in PASSED_ON:
    setattr(Front, _name, _passed_on(_name))


def main() -> None:
    """Serve until the engine ends."""
    front = Front()
    if EXPORT in os.environ:  # this engine starts a plugin before its program, and never for a schema
        threading.Thread(target=front.load, daemon=True).start()
    serve(front)
    end()

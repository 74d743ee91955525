"""The plugin before it has loaded its chapters."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pulumi.runtime.proto import ResourceProviderServicer

from plugin.front import FILE, PASSED_ON, Front
from plugin.server import Plugin

REPOSITORY = Path(__file__).parents[3]


def test_everything_that_the_plugin_serves_is_passed_on() -> None:
    served = {
        name
        for name in vars(ResourceProviderServicer)
        if not name.startswith("_") and getattr(Plugin, name) is not getattr(ResourceProviderServicer, name)
    }
    own = {"GetSchema", "GetPluginInfo"}
    assert served - own == {*PASSED_ON}
    assert own <= {*vars(Front)}


def test_the_schema_needs_nothing_else() -> None:
    program = (
        "import sys; from plugin.front import Front; "
        "print(Front().GetSchema(None, None).schema); Front().GetPluginInfo(None, None); "
        "print([name for name in sys.modules if name.startswith(('components', 'asyncssh', 'plugin.server'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True
    )
    schema, loaded = done.stdout.rstrip().rsplit("\n", 1)
    assert schema.rstrip() == FILE.read_text("utf-8").rstrip()
    assert loaded == "[]"


def test_the_plugin_is_loaded_once() -> None:
    loads: list[int] = []

    def load() -> Any:
        loads.append(1)
        return SimpleNamespace(Check=lambda request, context: (request, context))

    front: Any = Front(load)
    assert [front.Check(number, "context") for number in range(2)] == [(0, "context"), (1, "context")]
    assert loads == [1]

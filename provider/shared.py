"""What this process and the program both load, in one import: for the engine's fork server (local/engine/launch.py)."""

import importlib

for _module in ("provider.server", "components.config", "components.host"):
    importlib.import_module(_module)

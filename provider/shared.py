"""What this process and the program both load, in one import: for a run's fork server (local/engine/launch.py)."""

import importlib

from provider.chapters import CHAPTERS, load_chapter

importlib.import_module("provider.server")
for _chapter in CHAPTERS:
    load_chapter(_chapter)

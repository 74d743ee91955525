"""What this process and the program both load for a run's fork server, in one import."""

import importlib

from provider.chapters import CHAPTERS, load_chapter

importlib.import_module("provider.server")
for _chapter in CHAPTERS:
    load_chapter(_chapter)

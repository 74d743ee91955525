"""All that this process and the program load, in one import, for a fork server (local/engine/processes/forks.py)."""

import importlib

from pydantic import BaseModel

from provider.chapters import load_client
from provider.starting import leave_out

leave_out("oqs", "liboqs")


def _build(model: type[BaseModel]) -> None:
    """Build validators that would otherwise be built at their first use."""
    for below in model.__subclasses__():
        below.model_rebuild()
        _build(below)


importlib.import_module("provider.shared")
importlib.import_module("components.stack_config")
importlib.import_module("components.host")
load_client()
_build(BaseModel)

"""All that this process and the program load, in one import: for a fork server (local/engine/forks.py)."""

import importlib

from pydantic import BaseModel

from provider.starting import leave_out

leave_out("oqs", "liboqs")


def _build(model: type[BaseModel]) -> None:
    """Build the validators that are left for the first use otherwise."""
    for below in model.__subclasses__():
        below.model_rebuild()
        _build(below)


importlib.import_module("provider.server")
importlib.import_module("provider.chapters").load()
importlib.import_module("components.config")
importlib.import_module("components.host")
_build(BaseModel)

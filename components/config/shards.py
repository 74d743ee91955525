"""An environment split into several stacks: which host belongs to which shard, and the shared inventory file.

Stacks of one environment are named by shard: production-01, production-02, ... Nothing here needs Pulumi.
"""

import json
import re
from collections.abc import Hashable, Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from components.config.names import shown
from hosts.text import yamltext
from hosts.text.projectfiles import file_of_project
from hosts.text.textfiles import LARGEST_LIST, BadFile, read_text

_NUMBER = re.compile(r"(.+)-(\d+)")


class InventoryError(ValueError):
    """The inventory file cannot be read. The message names the place."""


def shard_of(name: str, of: int) -> int:
    """Return the shard of a host, 1 to `of`, by rendezvous hashing (Thaler and Ravishankar, 1998).

    It depends only on the name and on `of`. Adding or removing a host moves no other host, and adding a shard moves to
    it a share of the hosts of every other shard.
    """
    return max(range(1, of + 1), key=lambda shard: sha256(f"{shard}/{name}".encode()).digest())


def home_of(name: str, entry: Mapping[str, Any] | None, of: int) -> int:
    """Return the shard of a host: the one pinned in its entry under `hosts`, or the one derived from its name."""
    pinned = (entry or {}).get("shard")
    return pinned if isinstance(pinned, int) else shard_of(name, of)


def stack_of(environment: str, shard: int) -> str:
    """Return the name of a shard's stack."""
    return f"{environment}-{shard:02}"


def split(stack: str) -> tuple[str, int | None]:
    """Split a stack name into environment and shard; the shard is None if the name has none."""
    found = _NUMBER.fullmatch(stack)
    return (found[1], int(found[2])) if found else (stack, None)


def index_in(shard: Mapping[str, Any], stack: str) -> int | None:
    """Return which shard a stack is: from its `shard` settings, else from its name."""
    index = shard.get("index")
    return index if isinstance(index, int) else split(stack)[1]


def read_inventory(path: str, folder: Path = Path(), *, checked: bool = False) -> Mapping[str, Any]:
    """Return the hosts of an inventory file (YAML or JSON) by name. Their settings are not validated.

    `path`: a file of the project, relative to `folder`. `checked`: the program has already refused any other file.
    Raises `InventoryError`, which never quotes a file that is not an inventory.
    """
    try:
        file = folder / Path(path).expanduser() if checked else file_of_project(path, folder)
        stamp = file.stat()
        return _read(path, file, (stamp.st_mtime_ns, stamp.st_size))
    except OSError as error:
        raise InventoryError(f"{path}: {error.strerror}") from None
    except BadFile as error:
        raise InventoryError(str(error)) from None


@lru_cache(maxsize=4)  # every chapter's provider calls it
def _read(path: str, file: Path, _stamp: Hashable) -> Mapping[str, Any]:
    text = read_text(file, LARGEST_LIST, name=Path(path))
    try:
        found = json.loads(text, object_pairs_hook=_once) if text.startswith("{") else yamltext.load(text)
    except _TwiceError as error:
        raise InventoryError(f"{path}: {error}") from None
    except yamltext.TwiceError as error:
        raise InventoryError(f"{path}:{yamltext.problem_in(error)[0]}: {shown(error.name)} appears twice") from None
    except yaml.YAMLError as error:
        line, _, what = yamltext.problem_in(error)
        reason = what if line else "is neither YAML nor JSON"
        raise InventoryError(f"{path}:{line}: {reason}" if line else f"{path}: {reason}") from None
    except json.JSONDecodeError as error:
        raise InventoryError(f"{path}:{error.lineno}:{error.colno}: {error.msg}") from None
    except (ValueError, RecursionError):
        raise InventoryError(f"{path}: is neither YAML nor JSON") from None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise InventoryError(f"{path}: must list hosts by name, as `web1: {{address: 198.51.100.11}}`")
    return found


class _TwiceError(ValueError):
    """A duplicate name in JSON, which would drop a host."""

    def __init__(self, name: object) -> None:
        super().__init__(f"{shown(name)} appears twice")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return found

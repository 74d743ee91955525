"""The hosts of an inventory: Stockade's own (YAML), Ansible's (INI or YAML), or an ssh_config(5)."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path
from typing import Any

import yaml

from adopt import ansible
from adopt.ansible import MOST, NoInventoryError, Variables
from adopt.target import Target, read_target, with_jump, with_login
from components.failure import Failure
from hosts.text import yamltext
from hosts.text.textfiles import LARGEST_LIST, BadFile, read_text

_SSH_LINE = re.compile(r"^\s*(Host|Include)[\s=]+(.+)$", re.M | re.I)
_SSH_ONLY = re.compile(r"^\s*(Host|Include)\s+\S", re.M | re.I)
_NESTED = 16
"""How deep files may include each other, as in ssh."""


@dataclass
class Listed:
    """The hosts of an inventory, in its order; `faults`: those that cannot be read, with the reason."""

    targets: list[Target] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def read_inventory(path: Path) -> Listed:
    """Return the hosts of an inventory. Raises Failure if it is none, or has none."""
    text = _text(path)
    is_ssh_config = bool(_SSH_ONLY.search(text))
    hosts: Mapping[str, Variables] = {name: {} for name in _aliases(text)} if is_ssh_config else _listed(text, path)
    if not hosts:
        raise Failure(f"{path}: no host is listed in it")
    if len(hosts) > MOST:  # before ssh is asked about each
        raise Failure(f"{path}: more than {MOST} hosts; split it")
    found = Listed()
    for name, variables in hosts.items():
        try:
            found.targets.append(read_target(name, path) if is_ssh_config else _target(name, variables))
        except (Failure, ValueError) as error:
            found.faults.append(f"{path}: {name}: {error}")
    return found


def _text(path: Path) -> str:
    try:
        return read_text(path, LARGEST_LIST)
    except (BadFile, OSError) as error:
        raise Failure(f"inventory {error}") from None


def _aliases(text: str, depth: int = 0) -> Iterator[str]:
    """The hosts that an ssh_config names, in included files, too; a pattern such as `*.internal` names none."""
    for keyword, words in _SSH_LINE.findall(text):
        try:
            named = shlex.split(words, comments=True)
        except ValueError:
            continue  # ssh says what is wrong with it
        if keyword.lower() == "host":
            yield from (alias for alias in named if not re.search(r"[*?!]", alias))
        elif depth < _NESTED:
            for pattern in named:
                for file in sorted(glob(str(Path("~/.ssh").expanduser() / Path(pattern).expanduser()))):
                    yield from _aliases(_text(Path(file)), depth + 1)


def _listed(text: str, path: Path) -> Mapping[str, Variables]:
    try:
        found = yamltext.load(text)
    except yaml.YAMLError:
        found = None
    try:
        if not isinstance(found, Mapping):
            return _of_groups(ansible.of_ini(text), path)
        if any(isinstance(group, Mapping) and group.keys() & {"hosts", "children"} for group in found.values()):
            return _of_groups(ansible.of_yaml(found), path)
    except NoInventoryError as error:
        raise Failure(f"{path}: neither an inventory of Stockade or Ansible nor an ssh_config: {error}") from None
    return {str(name): {"entry": entry or {}} for name, entry in found.items()}


def _of_groups(groups: ansible.Groups, path: Path) -> Mapping[str, Variables]:
    return ansible.hosts(groups, lambda kind, name: dict(_beside(path.parent / kind, name)))


def _beside(folder: Path, name: str) -> Iterator[tuple[str, Any]]:
    """The variables in `group_vars` and `host_vars`: files of a name, or all in a folder of it. Vaults are skipped."""
    if not re.fullmatch(r"[\w.-]+", name) or not folder.is_dir():
        return
    files = [folder / f"{name}{ending}" for ending in ("", ".yml", ".yaml")]
    for file in [*files, *sorted((folder / name).glob("*.y*ml"))]:
        if file.is_file():
            try:
                found = yamltext.load(_text(file))
            except yaml.YAMLError as error:
                raise NoInventoryError(f"{file}: {type(error).__name__}") from None
            yield from found.items() if isinstance(found, Mapping) else ()


def _target(name: str, variables: Variables) -> Target:
    login = _of_entry(variables["entry"]) if "entry" in variables else ansible.login_of(variables)
    if any("{{" in str(value) for value in login.values()):
        raise Failure("templates ({{ … }}) cannot be filled in here; write the value")
    host = str(login.get("host", name))
    place = f"[{host}]" if ":" in host else host
    user, port = login.get("user"), login.get("port")
    words = f"{name}={f'{user}@' if user else ''}{place}{f':{port}' if port else ''}"
    target = with_login(read_target(words), private_key_file=login.get("private_key_file"))
    return with_jump(target, login["jump"]) if "jump" in login else target


def _of_entry(entry: Any) -> dict[str, Any]:
    """Return the login of an entry of Stockade's own inventory, which has the names of a stack config."""
    if not isinstance(entry, Mapping):
        raise Failure("expected settings such as `address: 203.0.113.7`")
    login = entry.get("admin") or entry.get("bootstrap") or {}
    both = {**entry, **(login if isinstance(login, Mapping) else {})}
    named = {"host": both.get("host", both.get("address")), "port": both.get("port"), "user": both.get("user")}
    named["private_key_file"] = both.get("privateKeyFile")
    return {name: value for name, value in named.items() if value is not None}

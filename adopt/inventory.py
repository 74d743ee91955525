"""The hosts of an inventory: Stockade's own (YAML), Ansible's (INI or YAML), or an ssh_config(5)."""

import configparser
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from adopt.target import Target, read_target, with_login
from components.failure import Failure
from hosts.text import yamltext
from hosts.text.textfiles import LARGEST_LIST, BadFile, read_text

_SSH_HOST = re.compile(r"^\s*Host[\s=]+(.+)$", re.M | re.I)
_RANGE = re.compile(r"\[(\d+|[a-z]):(\d+|[a-z])\]")
_MOST = 10_000
"""Hosts in one inventory."""
_ANSIBLE = {
    "host": ("ansible_host", "ansible_ssh_host"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "private_key_file": ("ansible_ssh_private_key_file", "ansible_private_key_file"),
}
Variables = Mapping[str, Any]


def read_inventory(path: Path) -> list[Target]:
    """Return the hosts of an inventory, in its order. Raises Failure if it is none, or has none."""
    try:
        text = read_text(path, LARGEST_LIST)
    except (BadFile, OSError) as error:
        raise Failure(f"inventory {error}") from None
    is_ssh_config = bool(_SSH_HOST.search(text))
    hosts = {name: {} for name in _aliases(text)} if is_ssh_config else _listed(text, path)
    if not hosts:
        raise Failure(f"{path}: no host is listed in it")
    if len(hosts) > _MOST:  # before ssh is asked about each
        raise Failure(f"{path}: more than {_MOST} hosts; split it")
    return [read_target(name, path) if is_ssh_config else _target(name, login, path) for name, login in hosts.items()]


def _aliases(text: str) -> Iterator[str]:
    for words in _SSH_HOST.findall(text):
        for alias in shlex.split(words, comments=True):
            if not re.search(r"[*?!]", alias):  # a pattern, not a host
                yield alias


def _listed(text: str, path: Path) -> Mapping[str, Variables]:
    try:
        found = yamltext.load(text)
    except yaml.YAMLError:
        found = None
    if not isinstance(found, Mapping):
        return dict(_of_ini(text, path))
    if any(isinstance(group, Mapping) and group.keys() & {"hosts", "children"} for group in found.values()):
        return dict(_of_groups(found, {}, path))
    return {str(name): _of_entry(entry or {}, f"{path}: {name}") for name, entry in found.items()}


def _target(name: str, login: Variables, path: Path) -> Target:
    if any("{{" in str(value) for value in login.values()):
        raise Failure(f"{path}: {name}: templates ({{{{ … }}}}) cannot be filled in here; write the value")
    host = str(login.get("host", name))
    place = f"[{host}]" if ":" in host else host
    user, port = login.get("user"), login.get("port")
    words = f"{name}={f'{user}@' if user else ''}{place}{f':{port}' if port else ''}"
    try:
        return with_login(read_target(words), private_key_file=login.get("private_key_file"))
    except ValueError as error:
        raise Failure(f"{path}: {name}: {error}") from None


def _of_entry(entry: Any, where: str) -> dict[str, Any]:
    """Return the login of an entry of Stockade's own inventory, which has the names of a stack config."""
    if not isinstance(entry, Mapping):
        raise Failure(f"{where}: expected settings such as `address: 203.0.113.7`")
    login = entry.get("admin") or entry.get("bootstrap") or {}
    both = {**entry, **(login if isinstance(login, Mapping) else {})}
    named = {"host": both.get("host", both.get("address")), "port": both.get("port"), "user": both.get("user")}
    named["private_key_file"] = both.get("privateKeyFile")
    return {name: value for name, value in named.items() if value is not None}


def _of_ansible(variables: Variables) -> dict[str, Any]:
    found = {name: next((variables[key] for key in keys if key in variables), None) for name, keys in _ANSIBLE.items()}
    return {name: value for name, value in found.items() if value is not None}


def _of_groups(groups: Variables, above: Variables, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The hosts of Ansible's YAML groups, each with the variables of the groups that it is in."""
    for name, group in groups.items():
        if not isinstance(group, Mapping):
            if group is not None:
                raise Failure(f"{path}: {name}: expected `hosts`, `children` or `vars`")
            continue
        variables = {**above, **(group.get("vars") or {})}
        yield from _of_groups(group.get("children") or {}, variables, path)
        for host, own in (group.get("hosts") or {}).items():
            for one in _expanded(str(host)):
                yield one, _of_ansible({**variables, **(own or {})})


def _of_ini(text: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    parser = configparser.ConfigParser(
        interpolation=None, allow_no_value=True, strict=False, delimiters=("\x00",), comment_prefixes=("#", ";")
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string("[ungrouped]\n" + text, str(path))
    except configparser.Error as error:
        raise Failure(f"{path}: neither an inventory of Stockade or Ansible nor an ssh_config: {error}") from None
    variables: dict[str, dict[str, str]] = {}
    for section in parser.sections():
        if section.endswith(":vars"):
            pairs = (line.partition("=") for line in parser[section])
            variables[section.removesuffix(":vars")] = {key.strip(): value.strip() for key, _, value in pairs}
    for section in parser.sections():
        if ":" in section:
            continue
        inherited = {**variables.get("all", {}), **variables.get(section, {})}
        for line in parser[section]:
            host, *words = shlex.split(line, comments=True)
            own = dict(word.split("=", 1) for word in words if "=" in word)
            for one in _expanded(host):
                yield one, _of_ansible({**inherited, **own})


def _expanded(host: str) -> Iterator[str]:
    """Return the hosts that a range such as `web[01:10].example.com` names."""
    found = _RANGE.search(host)
    if found is None:
        yield host
        return
    first, last = found[1], found[2]
    if first.isdecimal() and last.isdecimal():
        names = [str(number).zfill(len(first)) for number in range(int(first), min(int(last), int(first) + _MOST) + 1)]
    else:
        names = [chr(code) for code in range(ord(first), ord(last) + 1)]
    for name in names:
        yield from _expanded(host[: found.start()] + name + host[found.end() :])

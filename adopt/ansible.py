"""Hosts of an Ansible inventory, INI or YAML, each with the variables of all groups that it is in: pure.

Source: Ansible's guide, "How to build your inventory": of variables, a host's own win, then those of a group over those
of the groups that it is a child of.
"""

import configparser
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Variables = Mapping[str, Any]
_RANGE = re.compile(r"\[(\d+|[a-z]):(\d+|[a-z])(?::(\d+))?\]")
MOST = 10_000
"""Hosts in one inventory."""
_LOGIN = {
    "host": ("ansible_host", "ansible_ssh_host"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "private_key_file": ("ansible_ssh_private_key_file", "ansible_private_key_file"),
}
_OPTIONS = ("ansible_ssh_common_args", "ansible_ssh_extra_args")
_OVER_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh", "libssh", "ansible.netcommon.libssh")


@dataclass
class Group:
    """A group as an inventory has it; `hosts`: each with the variables beside it."""

    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    children: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)

    def add(self, pattern: str, own: Variables) -> None:
        """Add the hosts of a range. Raises NoInventoryError if there are too many."""
        for host in expanded(pattern):
            self.hosts.setdefault(host, {}).update(own)
            if len(self.hosts) > MOST:
                raise NoInventoryError(f"{pattern}: more than {MOST} hosts; split it")


Groups = dict[str, Group]
VariablesOf = Callable[[str, str], Variables]
"""Further variables of a group or host, of `group_vars` or `host_vars`: by that word and the name."""


class NoInventoryError(ValueError):
    """A text that is no inventory. The message says where it is none."""


def of_ini(text: str) -> Groups:
    """Parse an inventory in INI form. Raises NoInventoryError."""
    parser = configparser.ConfigParser(
        interpolation=None, allow_no_value=True, strict=False, delimiters=("\x00",), comment_prefixes=("#", ";")
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string("[ungrouped]\n" + text)
    except configparser.Error as error:
        raise NoInventoryError(str(error)) from None
    groups: Groups = {}
    for section in parser.sections():
        name, _, kind = section.partition(":")
        group = groups.setdefault(name, Group())
        for line in parser[section]:
            _ini_line(group, kind, line)
    return groups


def _ini_line(group: Group, kind: str, line: str) -> None:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise NoInventoryError(f"{error}: {line!r}") from None
    if kind == "vars":
        key, _, value = line.partition("=")
        group.variables[key.strip()] = _unquoted(value.strip())
    elif kind == "children":
        group.children += words[:1]
    elif words:
        own = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        group.add(words[0], own)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def of_yaml(found: Variables) -> Groups:
    """Parse an inventory in YAML form. Raises NoInventoryError."""
    groups: Groups = {}
    _yaml_groups(found, groups)
    return groups


def _yaml_groups(found: Variables, groups: Groups) -> None:
    for name, content in found.items():
        group = groups.setdefault(str(name), Group())
        if content is None:
            continue
        if not isinstance(content, Mapping):
            raise NoInventoryError(f"{name}: expected `hosts`, `children` or `vars`")
        parts = {part: content.get(part) or {} for part in ("vars", "hosts", "children")}
        for part, inside in parts.items():
            if not isinstance(inside, Mapping):
                raise NoInventoryError(f"{name}: {part}: expected names, each with its settings")
        group.variables.update(parts["vars"])
        group.children += map(str, parts["children"])
        for pattern, own in parts["hosts"].items():
            if own is not None and not isinstance(own, Mapping):
                raise NoInventoryError(f"{name}: {pattern}: expected variables")
            group.add(str(pattern), own or {})
        _yaml_groups(parts["children"], groups)


def hosts(groups: Groups, further: VariablesOf = lambda _kind, _name: {}) -> dict[str, Variables]:
    """Return each host with the variables that hold for it, in the order of the inventory."""
    parents: dict[str, set[str]] = {name: set() for name in groups}
    for name, group in groups.items():
        for child in group.children:
            parents.setdefault(child, set()).add(name)
    names = dict.fromkeys(host for group in groups.values() for host in group.hosts)
    known = {name: {**further("group_vars", name), **group.variables} for name, group in groups.items()}
    known.setdefault("all", {**further("group_vars", "all")})
    depths = _depths(parents)
    out: dict[str, Variables] = {}
    for host in names:
        merged: dict[str, Any] = {}
        for name in sorted(_groups_of(host, groups, parents), key=lambda one: (depths.get(one, 0), one)):
            merged |= known.get(name, {})
        own = {key: value for group in groups.values() for key, value in group.hosts.get(host, {}).items()}
        out[host] = {**merged, **own, **further("host_vars", host)}
    return out


def _groups_of(host: str, groups: Groups, parents: Mapping[str, set[str]]) -> set[str]:
    """Return the groups that a host is in."""
    found: set[str] = {"all"}
    waiting = [name for name, group in groups.items() if host in group.hosts]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += parents.get(name, ())
    return found


def _depths(parents: Mapping[str, set[str]]) -> dict[str, int]:
    """Return how far below `all` each group is, by its longest way there; in a circle of groups, that is cut."""
    depths = {name: int(name != "all") for name in parents}
    for _ in parents:
        deeper = {
            name: max((1 + depths[one] for one in above), default=depths[name]) for name, above in parents.items()
        }
        deeper |= {"all": 0} if "all" in parents else {}
        if deeper == depths:
            break
        depths = deeper
    return depths


def login_of(variables: Variables) -> dict[str, Any]:
    """Return how variables say that a host is reached: `host`, `port`, `user`, `private_key_file`, `jump`.

    Raises NoInventoryError if it is not by SSH.
    """
    way = str(variables.get("ansible_connection", "ssh"))
    if way not in _OVER_SSH:
        raise NoInventoryError(f"ansible_connection is {way}: only SSH is supported")
    found = {name: next((variables[key] for key in keys if key in variables), None) for name, keys in _LOGIN.items()}
    found["jump"] = jump_of(" ".join(str(variables[key]) for key in _OPTIONS if key in variables)) or None
    return {name: value for name, value in found.items() if value is not None}


def jump_of(options: str) -> str:
    """Return the jump host of options for ssh; "" if they name none. Raises NoInventoryError for other programs."""
    try:
        words = shlex.split(options)
    except ValueError as error:
        raise NoInventoryError(f"{error}: {options!r}") from None
    for word, after in zip(words, [*words, ""][1:], strict=True):
        if word == "-J":
            return after
        keyword, _, value = (after if word == "-o" else word.removeprefix("-o")).partition("=")
        if keyword.lower() == "proxyjump":
            return value
        if keyword.lower() == "proxycommand":
            return jump_of_command(value)
    return ""


def jump_of_command(command: str) -> str:
    """Return the host that a ProxyCommand such as `ssh -W %h:%p ops@bastion` goes through; it is never run.

    Raises NoInventoryError if it is anything else.
    """
    words = [word for word in shlex.split(command) if word != "exec"]
    port, hosts_named = "", []
    rest = iter(words[1:])
    for word in rest:
        if word in ("-W", "-o", "-i", "-F", "-l", "-p"):
            value = next(rest, "")
            if word == "-p":
                port = f":{value}"
            elif (word, value) != ("-W", "%h:%p"):
                break
        elif not word.startswith("-"):
            hosts_named.append(word)
        elif word not in ("-q", "-A", "-a", "-T", "-x", "-4", "-6"):
            break
    else:
        if words[:1] and words[0].rpartition("/")[2] == "ssh" and len(hosts_named) == 1 and "%h:%p" in words:
            return hosts_named[0] + port
    raise NoInventoryError("a ProxyCommand; use ProxyJump, or write its entry by hand")


def expanded(host: str) -> Iterator[str]:
    """Return the hosts that a range such as `web[01:10].example.com` or `web[1:9:2]` names."""
    found = _RANGE.search(host)
    if found is None:
        yield host
        return
    first, last, step = found[1], found[2], max(int(found[3] or 1), 1)
    if first.isdecimal() and last.isdecimal():
        end = min(int(last), int(first) + MOST * step)
        names = [str(number).zfill(len(first)) for number in range(int(first), end + 1, step)]
    else:
        names = [chr(code) for code in range(ord(first), ord(last) + 1, step)]
    for name in names:
        yield from expanded(host[: found.start()] + name + host[found.end() :])

"""Writes what was read as a stack config for people: comments say why a line is there. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from adopt.factored import Factored, factored
from adopt.reading import Reading
from hosts.ssh.connection import Connection
from hosts.text.masking import one_line, shortened

_WIDTH = 116
_NAMED = 6
"""The most hosts that a remark names."""
_TITLES = {
    "users": "Who can log in or use sudo, with keys. Passwords stay what they are.",
    "firewall": "What can be reached.",
    "sysctl": "The kernel's settings that belong to the firewall.",
    "sshd": "What differs from the distribution's sshd_config, and how root and passwords log in.",
    "fail2ban": "The running jails and their limits.",
    "updates": "What is installed by itself.",
    "timeSync": "What sets the clock.",
    "listeners": "What listens on the network.",
    "packages": "Packages besides those of the chapters; `without` are those that a chapter would install.",
}


@dataclass(frozen=True)
class Adopted:
    """One host to write.

    `sudo`: whether its login needs a password for sudo, which is a secret. `admin`: another login, which everyday runs
    use from now on.
    """

    name: str
    login: Connection
    host_key: str
    reading: Reading
    sudo: bool = False
    admin: Connection | None = None


def files(stack: str, hosts: Sequence[Adopted], today: str, failed: Sequence[str] = ()) -> dict[str, str]:
    """Return the stack config, and the files of rules that it names, by their paths in the project."""
    rules: dict[str, str] = {}
    chapters = {one.name: _with_files(stack, one.name, one.reading.settings, rules) for one in hosts}
    _shared_files(stack, chapters, rules)
    split = factored(chapters)
    text = "\n".join((*_head(stack, hosts, today, failed), *_body(stack, hosts, split))) + "\n"
    return {f"stacks/Pulumi.{stack}.yaml": text, **rules}


def _with_files(stack: str, host: str, settings: Mapping[str, Any], rules: dict[str, str]) -> dict[str, Any]:
    """Return the settings with rules as files of their own."""
    if "firewall" not in settings:
        return dict(settings)
    firewall = dict(settings["firewall"])
    for family in ("ipv4", "ipv6"):
        text = firewall.get(family, {}).get("rules")
        if text is not None:
            path = f"stacks/rules/{stack}.{host}.{family}"
            rules[path] = text.rstrip("\n") + "\n"
            firewall[family] = {"file": path}
    return {**settings, "firewall": firewall}


def _shared_files(stack: str, chapters: Mapping[str, dict[str, Any]], rules: dict[str, str]) -> None:
    """Let hosts with the same rules use the same file."""
    for family in ("ipv4", "ipv6"):
        by_text: dict[str, list[str]] = {}
        for path in [path for path in rules if path.endswith(f".{family}")]:
            by_text.setdefault(rules[path], []).append(path)
        for text, paths in by_text.items():
            if len(paths) == 1:
                continue
            shared = f"stacks/rules/{stack}.{family}" if len(by_text) == 1 else paths[0]
            for path in paths:
                del rules[path]
            rules[shared] = text
            for settings in chapters.values():
                given = settings.get("firewall", {}).get(family, {})
                if given.get("file") in paths:
                    settings["firewall"][family] = {**given, "file": shared}


def _head(stack: str, hosts: Sequence[Adopted], today: str, failed: Sequence[str]) -> Iterator[str]:
    yield "# yaml-language-server: $schema=stockade.schema.json"
    yield f"# Read from {len(hosts)} host{'s' if len(hosts) != 1 else ''} on {today} by `stockade adopt`."
    yield "# `existing: asIs`: `up` only records what is in force already. It writes nothing before you change a line."
    for why in failed:
        yield from _comment(f"Not read: {why}")
    needing = [one for one in hosts if one.sudo]
    for one in needing:
        path = f"stockade:hosts.{one.name}.admin.sudoPassword"
        yield f"# TODO: stockade config set --stack {stack} --secret --path '{path}'"


def _body(stack: str, hosts: Sequence[Adopted], split: Factored) -> Iterator[str]:
    yield "config:"
    yield from setting("stockade:defaults", {"existing": "asIs"})
    yield "  stockade:hosts:"
    for one in hosts:
        yield from _comment(f"{one.reading.survey.distribution or 'an unknown system'}", "    ")
        yield from entry_lines(one.name, host_entry(one.login, one.host_key, one.admin))
        own = split.own.get(one.name, {})
        for chapter, settings in own.items():
            yield from _remarks([one], chapter, "      ")
            yield from _indented({chapter: settings}, 6)
        for reason, what in _by_reason(one.reading.left_out).items():
            yield from _comment(f"Not taken over: {', '.join(what)}: {reason}", "      ")
        for chapter in one.reading.remarks.keys() - one.reading.settings.keys():
            yield from _remarks([one], chapter, "      ")
    for chapter, settings in split.common.items():
        yield from _comment(_TITLES.get(chapter, ""), "  ")
        yield from _remarks([one for one in hosts if chapter not in split.own.get(one.name, {})], chapter, "  ")
        yield from setting(f"stockade:{chapter}", settings)


def _by_reason(left_out: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in left_out:
        what, _, reason = line.partition(": ")
        found.setdefault(reason, []).append(what)
    return found


def host_entry(login: Connection, host_key: str, admin: Connection | None = None) -> dict[str, Any]:
    """Return a host's entry: its address, its key, and its logins."""
    entry: dict[str, Any] = {"address": login.host}
    if login.port != 22:
        entry["port"] = login.port
    role = "bootstrap" if login.user == "root" or admin else "admin"
    logins = {**({"admin": _login(admin)} if admin else {}), role: _login(login)}
    return {**entry, "hostKey": host_key, **logins}


def entry_lines(name: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """Return the lines of a host's entry."""
    return _indented({name: entry}, 4)


def _login(login: Connection) -> dict[str, Any]:
    own: dict[str, Any] = {"user": login.user}
    given = login.model_dump(by_alias=True, mode="json", exclude_defaults=True, exclude_none=True)
    own |= {name: given[name] for name in ("privateKeyFile", "proxy") if name in given}
    if login.former:
        own["privateKeyFile"] = [str(way.private_key_file) for way in (login, *login.former)]
    return own


def _remarks(hosts: Sequence[Adopted], chapter: str, indent: str) -> Iterator[str]:
    """Return each remark once, with the hosts that it is about unless there is one."""
    about: dict[str, list[str]] = {}
    for one in hosts:
        for line in one.reading.remarks.get(chapter, ()):
            about.setdefault(line, []).append(one.name)
    for line, names in about.items():
        few = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
        yield from _comment(line if len(names) == len(hosts) else f"{few}: {line}", indent)


def _comment(text: str, indent: str = "") -> Iterator[str]:
    plain = re.sub(r"\s+", " ", one_line(shortened(text.strip(), 500))).strip()
    if plain:
        yield f"{indent}# {plain}"


def setting(name: str, value: Any) -> Iterator[str]:
    """Return the lines of a setting of the stack."""
    yield from _indented({name: value}, 2)


def _indented(value: Mapping[str, Any], spaces: int) -> Iterator[str]:
    text = yaml.dump(dict(value), Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=_WIDTH)
    yield from (" " * spaces + line if line else line for line in text.splitlines())


class _Dumper(yaml.SafeDumper):
    """Indents lists under their names, and writes short lists on one line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


def _sequence(dumper: yaml.SafeDumper, items: Sequence[Any]) -> yaml.Node:
    short = all(isinstance(item, str | int) for item in items) and sum(len(str(item)) + 2 for item in items) < 80
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


_Dumper.add_representer(list, _sequence)
_Dumper.add_representer(tuple, _sequence)

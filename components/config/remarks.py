"""Warnings about a stack config before anything is done: plaintext secrets and invalid key files."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_camel

from components.config.inventory import HostDefaults, HostEntry, Login
from components.config.named_files import elsewhere
from hosts.ssh.connection import SECRET_FIELDS, resolve
from hosts.text.textfiles import LARGEST_LIST, BadFile, read_private_key, read_text

_SECRETS = frozenset({*SECRET_FIELDS, "passphrase"})


def in_clear(values: Mapping[str, Any], secret: frozenset[str], file: Path, prefix: str) -> list[str]:
    """Return the paths of settings that should be secret but are in plain text in the stack config.

    `secret`: names of config values that contain encrypted data. Only `file` shows which part of such a value is
    encrypted.
    """
    paths = [path for key, value in values.items() if key not in secret for path in _plain(value, prefix + key)]
    if secret:
        written = _written(file)
        paths += [path for key in sorted(secret) for path in _plain(written.get(prefix + key), prefix + key)]
    return paths


def advice(paths: list[str], stack: str) -> str:
    """Return the warning for plaintext secrets."""
    commands = "".join(f"\n  pulumi config set --stack {stack} --secret --path '{path}'" for path in paths)
    return f"{', '.join(paths)}: in plain text in stacks/Pulumi.{stack}.yaml. Change and encrypt it:{commands}"


def misplaced(file: Path, prefix: str) -> list[str]:
    """Return the paths of encrypted settings in places where their values would be shown.

    Anyone who can change the config could move somebody else's ciphertext to a setting that is printed.
    """
    return [path for key, value in _written(file).items() for path in _encrypted(value, key, prefix)]


def _encrypted(value: Any, key: str, prefix: str) -> Iterator[str]:
    name = str(key) if ":" in str(key) else f"{prefix}{key}"
    if not name.startswith(prefix):
        return
    waiting: list[tuple[Any, tuple[str, ...], str]] = [(value, (name.removeprefix(prefix),), name)]
    while waiting:
        item, names, path = waiting.pop()
        if isinstance(item, dict) and set(item) == {"secure"} and isinstance(item["secure"], str):
            if not _is_secret(tuple(map(to_camel, names))):
                yield path
        elif isinstance(item, dict):
            waiting += ((below, (*names, str(one)), f"{path}.{one}") for one, below in item.items())
        elif isinstance(item, list):
            waiting += ((below, names, f"{path}[{number}]") for number, below in enumerate(item))


def _is_secret(names: tuple[str, ...]) -> bool:
    """Return whether the setting at this path (without list indices) is kept secret. Any setting may be named
    `password`."""
    if len(names) == 1:
        return names[0] in ("hosts", "defaults", "users", "keyPair")  # encrypted as a whole; parsed as JSON
    below = names[2:] if names[0] == "hosts" else names[1:] if names[0] == "defaults" else ()
    login = below[-1:] and below[-1] in SECRET_FIELDS and {*below[:-1]} <= {"admin", "bootstrap", "proxy"}
    user = names == ("users", "password") or (names[0] == "hosts" and below == ("users", "password"))
    return bool(login or user or names == ("keyPair", "passphrase"))


def _plain(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict) and set(value) != {"secure"}:
        for key, item in value.items():
            below = f"{path}.{key}" if str(key).isidentifier() else f'{path}["{key}"]'
            if to_camel(str(key)) not in _SECRETS:
                yield from _plain(item, below)
            else:
                yield from _clear(item, below)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _plain(item, f"{path}[{number}]")


def _clear(value: Any, path: str) -> Iterator[str]:
    """Yield the unencrypted parts of a secret, which may be a list during rotation."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _clear(item, f"{path}[{number}]")
    elif value is not None and not isinstance(value, dict):
        yield path


def _written(file: Path) -> Mapping[str, Any]:
    import yaml  # only for stacks with secrets

    from hosts.text import yamltext

    try:
        content = yamltext.load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # the engine read the config from another place
    config = content.get("config") if isinstance(content, dict) else None
    return config if isinstance(config, dict) else {}


def bad_files(defaults: HostDefaults, hosts: Mapping[str, HostEntry], prefix: str) -> dict[str, tuple[str, bool]]:
    """Return the problems with the key and known_hosts files of the logins, by path in the config and each file once,
    and whether the file is only missing on this machine."""
    found: dict[str, tuple[str, bool]] = {}
    seen: set[tuple[str, str]] = set()
    for place, login in _logins(defaults, hosts, prefix):
        keys = login.private_key_file if isinstance(login.private_key_file, tuple) else (login.private_key_file,)
        for name, path in (*(("privateKeyFile", key) for key in keys), ("knownHostsFile", login.known_hosts_file)):
            if path is None or (name, path) in seen or elsewhere(path):
                continue
            seen.add((name, path))
            file = resolve(path)
            try:
                _ = read_private_key(file) if name == "privateKeyFile" else read_text(file, LARGEST_LIST)
            except BadFile as error:
                found[f"{place}.{name}"] = (str(error), not os.path.lexists(file))
    return found


def _logins(defaults: HostDefaults, hosts: Mapping[str, HostEntry], prefix: str) -> Iterator[tuple[str, Login]]:
    reaches: Mapping[str, HostDefaults] = {f"{prefix}defaults": defaults} | {
        f"{prefix}hosts.{name}": host for name, host in hosts.items()
    }
    for place, reach in reaches.items():
        for below, login in ((place, reach), (f"{place}.admin", reach.admin), (f"{place}.bootstrap", reach.bootstrap)):
            way, at = login, below
            while way is not None:
                yield at, way
                way, at = way.proxy, f"{at}.proxy"

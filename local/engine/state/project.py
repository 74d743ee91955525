"""Pulumi.yaml and Pulumi.<stack>.yaml, as far as the embedded engine supports them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from hosts.text import yamltext
from local.engine.errors import EngineError, UnsupportedError
from local.engine.state.secrets import Crypter

_PROJECT_KEYS = {
    "name", "runtime", "main", "stackConfigDir", "plugins", "packages", "backend", "config", "description", "author",
    "license", "website",
}  # fmt: skip
_STACK_KEYS = {"config", "encryptionsalt"}
_HTML = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


class Loader(yamltext.Loader):
    """YAML as Go's yaml.v3 reads it: `yes`, `on` and dates are strings."""


Loader.yaml_implicit_resolvers = {
    first: [*pairs] for first, pairs in Loader.yaml_implicit_resolvers.items() if first not in "yYnNoO"
}
Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(?:null|Null|NULL)$"), ["n", "N"])


@dataclass(frozen=True)
class Project:
    """The contents of Pulumi.yaml."""

    root: Path
    name: str
    virtualenv: Path | None
    runtime_options: Mapping[str, str]
    main: Path
    stack_dir: Path
    plugins: Mapping[str, Path]
    packages: Mapping[str, Path]
    backend_url: str | None
    config: Mapping[str, Any]


@dataclass(frozen=True)
class ConfigValue:
    """A value of the stack's configuration: its text (JSON for an object) and whether any of it is secret."""

    text: str
    secret: bool


Config = dict[str, ConfigValue]


def load_project(start: Path) -> Project:
    """Read Pulumi.yaml of a directory or the nearest one above; raises EngineError if it is missing or invalid."""
    root = start.resolve()
    while not (root / "Pulumi.yaml").is_file():
        if root.parent == root:
            raise EngineError(f"no Pulumi.yaml project file found in {start.resolve()} or above")
        root = root.parent
    file = root / "Pulumi.yaml"
    data = read_yaml(file)
    _known(data, _PROJECT_KEYS, "Pulumi.yaml")
    name = data.get("name")
    if not isinstance(name, str) or not name:
        raise EngineError(f"{file}: `name` is missing")
    runtime = data.get("runtime")
    if not isinstance(runtime, dict):
        runtime = {"name": runtime}
    if runtime.get("name") != "python":
        raise UnsupportedError(f"the runtime {runtime.get('name')!r} in Pulumi.yaml")
    options = {key: str(value) for key, value in _mapping(runtime.get("options"), "runtime.options").items()}
    if set(options) - {"virtualenv", "toolchain", "typechecker"} or options.get("toolchain", "pip") != "pip":
        raise UnsupportedError("a runtime option other than `virtualenv` in Pulumi.yaml")
    return Project(
        root=root,
        name=name,
        virtualenv=root / options["virtualenv"] if "virtualenv" in options else None,
        runtime_options=options,
        main=root / str(data.get("main", ".")),
        stack_dir=root / str(data.get("stackConfigDir", ".")),
        plugins=_plugins(data, root),
        packages=_packages(data, root),
        backend_url=_mapping(data.get("backend"), "backend").get("url"),
        config=_mapping(data.get("config"), "config"),
    )


def _plugins(data: Mapping[str, Any], root: Path) -> dict[str, Path]:
    section = _mapping(data.get("plugins"), "plugins")
    _known(section, {"providers"}, "Pulumi.yaml `plugins`")
    try:
        return {str(entry["name"]): root / str(entry["path"]) for entry in section.get("providers") or []}
    except (TypeError, KeyError):
        raise EngineError(
            "Pulumi.yaml: `plugins.providers` must be a list of mappings with `name` and `path`"
        ) from None


def _packages(data: Mapping[str, Any], root: Path) -> dict[str, Path]:
    """The packages whose plugin is a directory of this machine; others are found on PATH, or not at all."""
    given = _mapping(data.get("packages"), "packages")
    folders = {str(name): root / source for name, source in given.items() if isinstance(source, str)}
    return {name: folder for name, folder in folders.items() if (folder / "PulumiPlugin.yaml").is_file()}


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises EngineError if it contains anything else."""
    try:
        return parse_yaml(file.read_text(), str(file))
    except OSError as error:
        raise EngineError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise EngineError(f"{file}: not in UTF-8") from None


def parse_yaml(text: str, name: str) -> dict[str, Any]:
    """The mapping in a YAML text; `name` is what errors call the text."""
    try:
        data = yamltext.load(text, Loader)
    except yaml.YAMLError as error:
        line, column, what = yamltext.problem_in(error)
        raise EngineError(f"{name}:{line}:{column}: {what}" if line else f"{name}: {what}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise EngineError(f"{name}: must be a mapping")
    return data


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise EngineError(f"Pulumi.yaml: `{where}` must be a mapping")
    return value


def _known(data: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in data:
        if key not in known:
            raise UnsupportedError(f"`{key}` in {where}")


def checked_name(name: str) -> str:
    """Return the name of a stack or a project if it is valid: it names files. Raises EngineError."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name):
        raise EngineError(f"{name[:60]!r} is no name: letters, digits and - _ . are expected, 100 at most")
    return name


def stack_file(project: Project, stack: str) -> Path:
    """The path of a stack's configuration file."""
    return project.stack_dir / f"Pulumi.{stack}.yaml"


@dataclass(frozen=True)
class StackSettings:
    """Pulumi.<stack>.yaml before decryption."""

    file: Path
    salt: str | None
    config: Mapping[str, Any]


def load_stack(project: Project, stack: str) -> StackSettings:
    """Read a stack's configuration file; without one, the settings are empty."""
    file = stack_file(project, stack)
    if not file.is_file():
        return StackSettings(file, None, {})
    data = read_yaml(file)
    _known(data, _STACK_KEYS, file.name)
    salt, config = data.get("encryptionsalt"), data.get("config") or {}
    if not isinstance(salt, str | None):
        raise EngineError(f"{file}: `encryptionsalt` must be text")
    if not isinstance(config, dict):
        raise EngineError(f"{file}: `config` must be a mapping, as `config: {{stockade:hosts: {{...}}}}`")
    return StackSettings(file, salt, config)


def resolve_config(project: Project, settings: StackSettings, crypter: Crypter | None) -> Config:
    """The stack's decrypted configuration with the project's defaults; keys are `namespace:name`."""
    config: Config = {}
    for key, value in project.config.items():
        default = _project_default(key, value)
        if default is not None:
            config[_full_key(project, key)] = ConfigValue(_text(default), False)
    for key, value in settings.config.items():
        opened, secret = _open(value, crypter)
        config[_full_key(project, key)] = ConfigValue(_text(opened), secret)
    return config


def _project_default(key: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    _known(value, {"type", "default", "value", "description", "items"}, f"Pulumi.yaml `config: {key}`")
    return value.get("value", value.get("default"))


def _full_key(project: Project, key: str) -> str:
    return key if ":" in key else f"{project.name}:{key}"


def _open(value: Any, crypter: Crypter | None) -> tuple[Any, bool]:
    """A configuration value with its `secure:` parts decrypted, and whether it has any."""
    if isinstance(value, dict):
        if set(value) == {"secure"} and isinstance(value["secure"], str):
            if crypter is None:
                raise EngineError("the stack's configuration has secrets but no encryptionsalt")
            return crypter.decrypt(value["secure"]), True
        opened = {key: _open(item, crypter) for key, item in value.items()}
        return {key: item for key, (item, _) in opened.items()}, any(secret for _, secret in opened.values())
    if isinstance(value, list):
        items = [_open(item, crypter) for item in value]
        return [item for item, _ in items], any(secret for _, secret in items)
    return value, False


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # as Go's encoding/json writes it, so that both engines pass providers the same text
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).translate(_HTML)


def backend_folder(project: Project, cwd: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The directory of the file backend: PULUMI_BACKEND_URL, otherwise `backend: url:` of Pulumi.yaml.

    A relative path is relative to the current directory, as for the Pulumi CLI.
    """
    url = environ.get("PULUMI_BACKEND_URL") or project.backend_url
    if not url:
        raise EngineError("no backend: set `backend: url: file://…` in Pulumi.yaml, or PULUMI_BACKEND_URL")
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise UnsupportedError(f"the backend {parts.scheme or url}")
    path = unquote(parts.netloc + parts.path)
    return Path(path).expanduser() if path.startswith("~") else (cwd / path).resolve()

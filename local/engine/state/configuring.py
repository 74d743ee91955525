"""`config set|get|rm`: the stack's configuration from the command line, as the CLI changes it."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from typing import Any

from local.engine.errors import EngineError
from local.engine.state.session import Session
from local.engine.state.stack_file import path_text, remove_value, rewrite, set_value

Keys = list[str | int]
_SECRET_NAME = re.compile(r"(?i)(passwd|password|passphrase|pwd|secret|token|private_?key)$")
_SEGMENT = re.compile(r"\[(\d+)\]|\[\"((?:[^\"\\]|\\.)*)\"\]|\.?([^.\[\]\"]+)")


def add_commands(commands: Any, common: argparse.ArgumentParser, kind: Any) -> None:
    """Add `config` and its commands to the command line."""
    group = commands.add_parser("config", help="the stack's configuration").add_subparsers(
        dest="command", required=True, parser_class=kind
    )
    setting = group.add_parser("set", parents=[common], help="set a value; without VALUE, from stdin")
    setting.add_argument("key", metavar="KEY")
    setting.add_argument("value", metavar="VALUE", nargs="?")
    form = setting.add_mutually_exclusive_group()
    form.add_argument("--secret", action="store_true", help="encrypt the value")
    form.add_argument("--plaintext", action="store_true", help="do not encrypt what looks like a secret")
    form.add_argument("--type", choices=("string", "bool", "int", "float"), help="what the value is")
    setting.add_argument("--raw", action="store_true", help="keep the newline at the end of stdin")
    getting = group.add_parser("get", parents=[common], help="print a value, decrypted")
    getting.add_argument("key", metavar="KEY")
    removing = group.add_parser("rm", aliases=["remove"], parents=[common], help="remove a value")
    removing.add_argument("key", metavar="KEY")
    for command in (setting, getting, removing):
        command.add_argument("--path", action="store_true", help="KEY is a path into a map or list")
    setting.set_defaults(run=set_config)
    getting.set_defaults(run=get_config)
    removing.set_defaults(run=remove_config)


def set_config(session: Session, options: argparse.Namespace) -> int:
    """Set a value."""
    path = _path(session, options)
    text = options.value if options.value is not None else _typed(raw=options.raw)
    value: Any
    if options.secret:
        session = session.stored()
        value = {"secure": session.crypter.encrypt(text)}
    else:
        if not options.plaintext and not options.type and _looks_secret(path, text):
            raise EngineError(
                f"config value for '{path_text(['config', *path])}' looks like a secret; rerun with --secret to "
                "encrypt it, or --plaintext if you meant to store in plaintext"
            )
        value = _value(text, options.type, inner=len(path) > 1)
    rewrite(session.settings.file, lambda old: set_value(old, ["config", *path], value))
    return 0


def get_config(session: Session, options: argparse.Namespace) -> int:
    """Print a value."""
    first, *rest = _path(session, options)
    known = session.config().get(_full(session, str(first)))
    found: Any = None
    if known is not None:
        found = json.loads(known.text) if rest else known.text
        for part in rest:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                found = None
                break
    if found is None:
        raise EngineError(f"configuration key '{options.key}' not found for stack '{session.stack}'")
    print(found if isinstance(found, str) else json.dumps(found, separators=(",", ":"), ensure_ascii=False))
    return 0


def remove_config(session: Session, options: argparse.Namespace) -> int:
    """Remove a value, if it is set."""
    path = _path(session, options)
    rewrite(session.settings.file, lambda old: remove_value(old, ["config", *path]) if old else old)
    return 0


def _path(session: Session, options: argparse.Namespace) -> Keys:
    """The path of a key under `config`, in the spelling of the file."""
    key, *rest = split_path(options.key) if options.path else [options.key]
    full = _full(session, str(key))
    if full.count(":") > 1 or not full.partition(":")[2]:
        raise EngineError(
            f"invalid configuration key: could not parse {key} as a configuration key "
            "(configuration keys should be of the form `<namespace>:<name>`)"
        )
    bare = full.removeprefix(f"{session.project.name}:")
    return [bare if bare in session.settings.config else full, *rest]


def _full(session: Session, key: str) -> str:
    key = key.replace(":config:", ":")
    return key if ":" in key else f"{session.project.name}:{key}"


def split_path(text: str) -> Keys:
    """The parts of a path such as `hosts.web1.ports[0]` or `hosts["web.1"].admin`."""
    parts: Keys = []
    place = 0
    while place < len(text):
        found = _SEGMENT.match(text, place)
        if not found or (place == 0 and text.startswith(".")):
            raise EngineError(
                f"invalid configuration key: {text!r} is not a path such as `names[0]` or `parent.nested`"
            )
        number, quoted, name = found.groups()
        parts.append(int(number) if number else json.loads(f'"{quoted}"') if quoted is not None else name)
        place = found.end()
    if not parts or isinstance(parts[0], int):
        raise EngineError("invalid configuration key: the first part of a path must be a name")
    return parts


def _typed(*, raw: bool) -> str:
    if sys.stdin.isatty():
        raise EngineError("say the value, or give it on stdin: it is not asked for")
    text = sys.stdin.read()
    return text if raw else text.removesuffix("\n").removesuffix("\r")


def _value(text: str, kind: str | None, *, inner: bool) -> Any:
    """The value to store. Without a type it is a string; a nested one may also be a boolean or an integer."""
    if kind == "string" or (kind is None and not inner):
        return text
    if kind in (None, "bool") and text in ("true", "false"):
        return text == "true"
    if kind in (None, "int") and re.fullmatch(r"0|-?[1-9]\d{0,17}", text):
        return int(text)
    if kind is None:
        return text
    try:
        if kind == "float" and math.isfinite(float(text)):
            return float(text)
    except ValueError:
        pass
    raise EngineError(f"could not set config: {text!r} is no {kind}")


def _looks_secret(path: Keys, text: str) -> bool:
    names = [str(part).rsplit(":", 1)[-1] for part in path if isinstance(part, str)]
    return "PRIVATE KEY-----" in text or bool(text and names and _SECRET_NAME.search(names[-1]))

"""Converts pydantic's JSON Schema to the types of a Pulumi package."""

import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from components.core.served import type_of
from plugin.described import described, of_text

ANY = {"$ref": "pulumi.json#/Any"}
_SIMPLE = frozenset({"string", "integer", "number", "boolean"})
_NAMED = {("TimeSyncSettings", "daemon"): "TimeSyncChoice", ("UserInputs", "sudo"): "LimitedUserSudo"}
"""Enumerations that would have the name of another one."""
_ENDINGS = ("Inputs", "Settings", "Chapter", "HostEntry", "HostDefaults")


class Types:
    """The named types of a package, collected as models are read."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}
        self._enums: dict[tuple[str, ...], str] = {}

    def properties(self, model: type[BaseModel], *, without: Collection[str] = ()) -> dict[str, dict[str, Any]]:
        """Return the properties of a model by their public names."""
        schema = model.model_json_schema(by_alias=True, mode="validation")
        models = {one.__name__: one for one in _models(model)}
        texts = {_alias(model, name): text for name, text in described(model).items()}
        owners = {_alias(model, name): _owner(model, name) for name in model.model_fields}
        return {
            name: self._property(
                node,
                schema.get("$defs", {}),
                models,
                _NAMED.get((model.__name__, name), owners[name] + _title(name)),
                texts.get(name),
            )
            for name, node in (schema.get("properties") or schema["$defs"][model.__name__]["properties"]).items()
            if name not in without
        }

    def named(self, model: type[BaseModel], name: str = "", *, without: Collection[str] = ()) -> dict[str, Any]:
        """Return a reference to a model as a separate type."""
        name = name or model.__name__
        if name not in self.found:
            self.found[name] = {}  # it may contain itself
            properties = self.properties(model, without=without)
            needed = [name for name in required(model) if name in properties]
            text = (model.__doc__ or "").strip().partition("\n\n")[0]
            told = {} if "`: " in text else {"description": " ".join(text.split())}
            self.found[name] = {**told, "type": "object", "properties": properties, "required": needed}
        return _reference(name)

    def _property(
        self, node: Mapping[str, Any], defs: Mapping[str, Any], models: Mapping[str, Any], name: str, text: str | None
    ) -> dict[str, Any]:
        kind = self._type(node, defs, models, name)
        out = {**({"description": text + _limits(node)} if text else {}), **kind}
        default = node.get("default")
        if isinstance(default, str | int | float) and default != "" and ("type" in kind or "$ref" in kind):
            out["default"] = default
        return out | ({"secret": True} if _is_secret(node) else {})

    def _type(
        self, node: Mapping[str, Any], defs: Mapping[str, Any], models: Mapping[str, Any], name: str
    ) -> dict[str, Any]:
        if "$ref" in node:
            target = node["$ref"].rpartition("/")[2]
            if "enum" in defs[target]:
                return self._enum(tuple(defs[target]["enum"]), target)
            return self.named(models[target]) if target in models else self._plain(target, defs)
        if "enum" in node:
            return self._enum(tuple(node["enum"]), name)
        if "anyOf" in node:
            return self._one_of(node["anyOf"], defs, models, name)
        kind = node.get("type")
        if kind == "array":
            return {"type": "array", "items": self._type(node.get("items") or {"type": "string"}, defs, models, name)}
        if kind == "object":
            values = node.get("additionalProperties")
            of = self._type(values, defs, models, name) if isinstance(values, dict) else ANY
            return {"type": "object", "additionalProperties": of}
        return {"type": kind} if kind in _SIMPLE else dict(ANY)

    def _plain(self, name: str, defs: Mapping[str, Any]) -> dict[str, Any]:
        """Return a reference to a dataclass in a model."""
        fields, text = defs[name]["properties"], inspect.cleandoc(defs[name].get("description", ""))
        texts = of_text(text, fields)
        properties = {
            field: self._property(node, defs, {}, name + _title(field), texts.get(field))
            for field, node in fields.items()
        }
        self.found[name] = {"type": "object", "description": text.partition("\n\n")[0], "properties": properties}
        return _reference(name)

    def _one_of(
        self, choices: list[Mapping[str, Any]], defs: Mapping[str, Any], models: Mapping[str, Any], name: str
    ) -> dict[str, Any]:
        real = [choice for choice in choices if choice.get("type") != "null"]
        words = [word for choice in real for word in choice.get("enum", [choice["const"]] if "const" in choice else ())]
        if words and len(words) >= len(real):
            return self._enum(tuple(words), name)
        kinds = [self._type(choice, defs, models, name) for choice in real]
        kinds = [kind for number, kind in enumerate(kinds) if kind not in kinds[:number]]
        return kinds[0] if len(kinds) == 1 else {"oneOf": kinds}

    def _enum(self, words: tuple[str, ...], name: str) -> dict[str, Any]:
        known = self._enums.setdefault(words, name)
        if list(self._enums.values()).count(known) > 1:
            raise ValueError(f"{known}: two enumerations of this name; see _NAMED")
        self.found[known] = {"type": "string", "enum": [_member(word) for word in words if word]}  # "": not set
        return _reference(known)


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/types/{type_of(name)}"}


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and all models in its fields."""
    seen, left = set[type[BaseModel]](), [model]
    while left:
        one = left.pop()
        if one in seen:
            continue
        seen.add(one)
        yield one
        for field in one.model_fields.values():
            left += _held(field.annotation)


def _held(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _held(argument)


def required(model: type[BaseModel]) -> list[str]:
    """Return the names of the required fields."""
    return [_alias(model, name) for name, field in model.model_fields.items() if field.is_required()]


def read_only(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of fields that users do not set."""
    extras = {name: field.json_schema_extra for name, field in model.model_fields.items()}
    return frozenset(
        _alias(model, name) for name, extra in extras.items() if isinstance(extra, dict) and extra.get("readOnly")
    )


def secret(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of inherently secret fields."""
    return frozenset(
        _alias(model, name) for name, field in model.model_fields.items() if "SecretStr" in str(field.annotation)
    )


def _alias(model: type[BaseModel], name: str) -> str:
    return model.model_fields[name].alias or name


def _owner(model: type[BaseModel], name: str) -> str:
    """Return the first part of an enumeration's name: the model that declares the field, without its suffix."""
    class_ = next(one for one in reversed(model.__mro__) if name in vars(one).get("__annotations__", {}))
    own = class_.__name__
    for ending in _ENDINGS:
        own = own.removesuffix(ending)
    return own


def _member(word: str) -> dict[str, str]:
    """Return a value of an enumeration, with a name that is one in every language."""
    parts = re.split(r"\W+", word)
    return {"value": word} if len(parts) == 1 else {"name": "".join(map(_title, parts)), "value": word}


def _title(name: str) -> str:
    return name[:1].upper() + name[1:]


def _is_secret(node: Mapping[str, Any]) -> bool:
    return bool(node.get("writeOnly")) or any(map(_is_secret, node.get("anyOf", ())))


def _limits(node: Mapping[str, Any]) -> str:
    for choice in (node, *node.get("anyOf", ())):
        if "minimum" in choice and "maximum" in choice:
            return f" {choice['minimum']} to {choice['maximum']}."
    return ""

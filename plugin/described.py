"""Extracts the descriptions of fields from the docstring of a model."""

import inspect
import re
from collections.abc import Collection

from pydantic import BaseModel

_NAMES = re.compile(r"((?:`\w+`, )*`\w+`): ")


def described(model: type[BaseModel]) -> dict[str, str]:
    """Return the description of each field, including inherited ones."""
    found: dict[str, str] = {}
    for class_ in reversed(model.__mro__):
        if issubclass(class_, BaseModel) and class_ is not BaseModel:
            found |= of_text(inspect.cleandoc(class_.__doc__ or ""), class_.model_fields)
    given = {name: field.description for name, field in model.model_fields.items() if field.description}
    return {name: text for name, text in {**found, **given}.items() if name in model.model_fields}


def of_text(text: str, fields: Collection[str]) -> dict[str, str]:
    """Parse the fields in a docstring: `field`: and a sentence, `two`, `fields`: and another."""
    found: dict[str, str] = {}
    for paragraph in text.split("\n\n"):
        told = " ".join(paragraph.split())
        heads = [head for head in _NAMES.finditer(told) if _names(head) <= set(fields)]
        ends = [head.start() for head in heads[1:]] + [len(told)]
        for head, end in zip(heads, ends, strict=len(heads) > 0):
            words = told[head.end() : end].rstrip(" ;,.")
            found |= dict.fromkeys(_names(head), f"{words[0].upper()}{words[1:]}.")
    return found


def _names(head: re.Match[str]) -> set[str]:
    return set(re.findall(r"\w+", head[1]))

"""A dynamic resource that is a file in the folder `world` and whose properties control its behaviour."""

import json
import os
import time
from pathlib import Path

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

WORLD = Path("world")


def _note(text: str) -> None:
    with (WORLD / "log").open("a") as log:
        log.write(text + "\n")


class ItemProvider(ResourceProvider):
    serialize_as_secret_always = False

    def configure(self, req):
        self.greeting = req.config.get("greeting")

    def check(self, _olds, news):
        bad = [CheckFailure("text", "must not be bad")] if news.get("text") == "bad" else []
        return CheckResult(news, bad)

    def diff(self, _id, olds, news):
        keys = [key for key in ("text", "secret", "key", "first") if olds.get(key) != news.get(key)]
        return DiffResult(
            changes=bool(set(keys) - {"first"}),
            replaces=["key"] if "key" in keys else [],
            delete_before_replace=bool(news.get("first")),
        )

    def create(self, props):
        return CreateResult(self._do("create", props), {**props, "greeting": self.greeting})

    def update(self, _id, _olds, news):
        self._do("update", news)
        return UpdateResult({**news, "greeting": self.greeting})

    def delete(self, _id, props):
        self._do("delete", props)

    def read(self, id_, props):
        file = WORLD / f"{id_}.json"
        if not file.exists():
            return ReadResult("", {})
        text = json.loads(file.read_text())["text"]
        kept = {key: value for key, value in props.items() if key not in ("greeting", "__provider")}
        return ReadResult(id_, {**props, "text": text}, {**kept, "text": text})

    def _do(self, operation, props):
        name = props["name"]
        _note(f"{operation} {name}")
        if props.get("slow") == operation:
            (WORLD / "started").touch()
            limit = time.monotonic() + 30
            while not (WORLD / "go").exists() and time.monotonic() < limit:
                time.sleep(0.02)
        if props.get("fail") == operation:
            raise Exception(f"{name} would not {operation}")
        id_ = f"{name}-{props.get('key', 0)}"
        file = WORLD / f"{id_}.json"
        if operation == "delete":
            file.unlink(missing_ok=True)
        else:
            file.write_text(json.dumps({"text": props.get("text")}))
        _note(f"{operation}d {name}")
        return id_


class Item(Resource, module="items", name="Item"):
    text: pulumi.Output[str]
    greeting: pulumi.Output[str]

    def __init__(self, name, props, opts=None):
        super().__init__(ItemProvider(), name, {"name": name, "text": "", "greeting": None, **props}, opts)


class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("items:index:Group", name, {}, opts)


os.makedirs(WORLD, exist_ok=True)

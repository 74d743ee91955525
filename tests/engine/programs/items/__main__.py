"""Declares the resources in `spec.json`: `{name: {options and properties}}`, in order; `stacks`: only in these."""

import json
import time
from pathlib import Path

import pulumi
from items import Group, Item

config = pulumi.Config()
spec = json.loads(Path("spec.json").read_text())
made = {}
for name, entry in spec.get("items", {}).items():
    if pulumi.get_stack() not in entry.get("stacks", [pulumi.get_stack()]):
        continue
    props = dict(entry.get("props", {}))
    if "from" in entry:
        props["text"] = made[entry["from"]].text.apply(lambda text: f"{text}!")
    if entry.get("secret"):
        props["secret"] = config.require_secret("password")
    options = dict(entry.get("options", {}))
    for key in ("parent", "deleted_with", "provider"):
        if key in options:
            options[key] = made[options[key]]
    if "depends_on" in options:
        options["depends_on"] = [made[key] for key in options["depends_on"]]
    if "aliases" in options:
        options["aliases"] = [pulumi.Alias(**alias) for alias in options["aliases"]]
    opts = pulumi.ResourceOptions(**options)
    if entry.get("type") == "group":
        made[name] = Group(name, opts)
    elif entry.get("type") == "host":
        made[name] = pulumi.ComponentResource("stockade:index:HardenedHost", name, {}, opts)
    elif entry.get("type") == "provider":
        made[name] = pulumi.ProviderResource("pulumi-python", name, {}, opts)
    elif entry.get("type") == "command":
        made[name] = pulumi.CustomResource("command:local:Command", name, {**props, "stdout": None}, opts)
    elif entry.get("type") == "reference":
        made[name] = pulumi.StackReference(name)
    else:
        made[name] = Item(name, props, opts)
for name in spec.get("export", []):
    pulumi.export(name, made[name].text)
if "password" in spec.get("export_config", []):
    pulumi.export("password", config.require_secret("password"))
if spec.get("sleep"):
    print("sleeping")
    time.sleep(spec["sleep"])
if spec.get("raise"):
    raise RuntimeError(spec["raise"])
print(spec.get("print", "the program ran"))

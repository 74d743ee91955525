"""The schema of the package, from the models of the chapters: `make schema` writes it to plugin/schema.json."""

import importlib
import json
import tomllib
from pathlib import Path
from typing import Any

from components.config.inventory import HostDefaults, HostEntry, ShardSettings, camel
from components.core.chapter import Model
from components.core.dynamic import HostProvider
from components.core.served import PACKAGE, RESOURCES, Served, dynamic_type_of, type_of
from components.firewall.settings import FirewallSettings
from components.keys.files import KeyPairInputs
from components.registry import Hardening
from plugin.front import FILE
from plugin.kinds import ANY, Types, read_only, required
from provider.reference import OWN

CHECKOUT = Path(__file__).resolve().parents[1]
_READ_ME = "Hardens Linux servers over SSH with Pulumi. Generated from the schema of the Stockade package.\n"
LANGUAGES: dict[str, Any] = {
    "nodejs": {"packageName": "pulumi-stockade", "respectSchemaVersion": True, "readme": _READ_ME},
    "python": {
        "packageName": "pulumi_stockade",
        "respectSchemaVersion": True,
        "pyproject": {"enabled": True},
        "readme": _READ_ME,
    },
    "go": {"respectSchemaVersion": True},
}
"""What SDKs are called: the same whether `pulumi package add` makes them or an index has them."""
CHAPTERS = frozenset(camel(name) for name in Hardening.model_fields)
"""The chapters of `HardenedHost`."""
KEY_PAIR_OUTPUTS = {
    "publicKey": {"type": "string", "description": "The line for authorized_keys."},
    "fingerprint": {"type": "string", "description": "The key's fingerprint, `SHA256:...`."},
    "made": {"type": "boolean", "description": "Whether Stockade created the key; false if it already existed."},
}
_KEY_PAIR_REPLACED_BY = frozenset({"path", "type", "bits"})


def resources() -> dict[str, type[Served]]:
    """Return all resources of the package, by name."""
    for module in sorted(OWN):
        importlib.import_module(module)
    return dict(sorted(RESOURCES.items()))


def version() -> str:
    """Return the version of the package: pyproject.toml is the place where it is set."""
    return str(_project()["version"])


def _project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def package() -> dict[str, Any]:
    """Return the schema."""
    project = _project()
    types = Types()
    ways = _ways(types)
    components = {"HardenedHost": _hardened_host(types), "Firewall": _firewall(types)}
    described = {type_of(name): _resource(types, class_) for name, class_ in resources().items()}
    return {
        "name": PACKAGE,
        "displayName": "Stockade",
        "version": project["version"],
        "description": project["description"],
        "license": project["license"],
        "keywords": ["pulumi", "category/infrastructure", "kind/native", "linux", "iptables", "ssh", "hardening"],
        "language": LANGUAGES,
        "config": {"variables": ways},
        "provider": {"description": "The hosts, and how they are reached.", "inputProperties": ways},
        "types": {type_of(name): kind for name, kind in sorted(types.found.items())},
        "resources": {**{type_of(name): one for name, one in components.items()}, **described},
    }


def _ways(types: Types) -> dict[str, Any]:
    """Return the inputs of the provider: the host settings of a stack config."""
    host = types.named(HostEntry)
    return {
        "hosts": {
            "type": "object",
            "additionalProperties": host,
            "description": "The hosts, by name; a resource on any other host needs `connection`.",
        },
        "defaults": {
            **types.named(HostDefaults),
            "description": "How hosts are reached, unless a host has its own settings.",
        },
        "inventory": {"type": "string", "description": "File that lists more hosts; relative to the project folder."},
        "shard": {**types.named(ShardSettings, "Shard"), "description": "Split the hosts into several stacks."},
    }


def _hardened_host(types: Types) -> dict[str, Any]:
    """Return the component; its chapters are those of the registry."""
    known = types.properties(Hardening)
    own = {
        **_of_a_component(types),
        "keys": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Public keys for every user, besides the user's own.",
        },
    }
    enforced = {"type": "object", "additionalProperties": ANY, "description": "What is in force, by chapter."}
    return {
        "isComponent": True,
        "description": "One host, hardened: the declared chapters, in an order in which every intermediate state "
        "is safe. Its name is the host's name. Default: only the firewall, for a web server.",
        "inputProperties": {**own, **known},
        "properties": {"enforced": enforced},
        "required": ["enforced"],
    }


def _firewall(types: Types) -> dict[str, Any]:
    """Return the component for both rulesets of a host."""
    own = {
        "host": {"type": "string", "description": "The host's name, or any name if `connection` is given."},
        **_of_a_component(types),
        "sshPorts": {
            "type": "array",
            "items": {"type": "integer"},
            "description": "More ports on which sshd will listen, besides `sshPort`.",
        },
    }
    text = {"type": "string"}
    outputs = {
        "ipv4": {**text, "description": "The IPv4 rules in force."},
        "ipv6": {**text, "description": "The IPv6 rules in force."},
        "enforced": {"type": "object", "additionalProperties": text, "description": "A summary of them."},
    }
    return {
        "isComponent": True,
        "description": "The IPv4 and the IPv6 ruleset of a host, and the package that loads them at boot. Default: the "
        "guide's rules for a web server.",
        "inputProperties": {**own, **types.properties(FirewallSettings)},
        "requiredInputs": ["host"],
        "properties": outputs,
        "required": sorted(outputs),
    }


def _of_a_component(types: Types) -> dict[str, Any]:
    """Return what each component takes besides its settings."""
    return {
        "connection": {
            "$ref": _access(types),
            "description": "How to reach the host. An entry in the provider's `hosts` takes precedence.",
        },
        "existing": types.properties(HostEntry)["existing"],
    }


def _resource(types: Types, class_: type[Served]) -> dict[str, Any]:
    provider = class_.served_by
    if not issubclass(provider, HostProvider):
        return _described(types, class_, KeyPairInputs, KEY_PAIR_OUTPUTS, _KEY_PAIR_REPLACED_BY)
    chapter = provider.chapter
    facts = types.named(chapter.facts)
    outputs = {
        "observed": {**facts, "description": "What was last observed on the host."},
        "prior": {**facts, "description": "What was there before; delete restores it."},
    }
    return _described(types, class_, chapter.inputs, outputs, chapter.replaced_by)


def _described(
    types: Types, class_: type[Served], inputs: type[Model], outputs: dict[str, Any], replaced_by: frozenset[str]
) -> dict[str, Any]:
    known = types.properties(inputs)
    if "connection" in known:
        way = {"$ref": _access(types), "description": known["connection"]["description"]}
        known["connection"] = way
    for name in replaced_by & known.keys():
        known[name] = {**known[name], "replaceOnChanges": True}
    hidden, needed = read_only(inputs), required(inputs)
    shown = {name: {key: item for key, item in one.items() if key != "default"} for name, one in known.items()}
    there = [name for name in known if name in needed or known[name].get("default") is not None]
    return {
        "description": _first_paragraph(class_),
        "properties": {**shown, **outputs},
        "required": sorted({*there, *outputs} - {"prior"}),
        "inputProperties": {name: one for name, one in known.items() if name not in hidden},
        "requiredInputs": sorted(needed),
        "aliases": [{"type": dynamic_type_of(class_.__name__)}],
    }


def _access(types: Types) -> str:
    """Return the type of a resource's `connection`, with complete logins."""
    if "Access" not in types.found:
        reach = types.properties(HostEntry)
        names = ("admin", "bootstrap", "connectTimeout", "addresses")
        types.found["Access"] = {
            "description": "How a host is reached: by one of its logins, each with the `host` to connect to.",
            "type": "object",
            "properties": {name: reach[name] for name in names},
        }
    return f"#/types/{type_of('Access')}"


def _first_paragraph(class_: type[Any]) -> str:
    text = " ".join((class_.__doc__ or "").partition("\n\n")[0].split())
    return text.partition(" Properties: ")[0]


def written() -> str:
    """Return the content of plugin/schema.json."""
    return json.dumps(package(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")

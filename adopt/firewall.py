"""Rules as settings: the guide's preset with services where that gives exactly the same rules, else text. Pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from components.firewall.settings import FirewallSettings
from rules.language.parse import parse
from rules.presets.guide import reject_all
from rules.presets.recognised import Recognised, recognised
from rules.presets.service_rules import Service
from rules.values.family import Family

Rules = Mapping[Family, str]


def typed_rules(rules: Rules) -> dict[str, Any]:
    """Return the settings of `firewall` that make these rules, which are canonical text by family."""
    for candidate in _candidates(rules):
        if (left := _differing(candidate, rules)) is not None and len(left) < len(rules):
            return {**candidate, **_texts(left, rules)}
    return _texts(rules, rules)


def _candidates(rules: Rules) -> list[dict[str, Any]]:
    sets = {family: parse(text, family) for family, text in rules.items()}
    if Family.IPV4 not in sets:
        return []
    ipv6 = sets.get(Family.IPV6)
    rejects = ipv6 is not None and ipv6 == reject_all(Family.IPV6)
    guesses = [recognised(sets[Family.IPV4], None if rejects else ipv6), recognised(sets[Family.IPV4])]
    return [_settings(guess, rejects=rejects) for guess in guesses if guess is not None]


def _differing(candidate: dict[str, Any], rules: Rules) -> list[Family] | None:
    """Return the families whose rules a candidate does not make; None if it is not valid."""
    try:
        made = FirewallSettings.model_validate(candidate)
        return [family for family, text in rules.items() if made.ruleset(family) != text]
    except (ValidationError, ValueError):
        return None


def _texts(families: Any, rules: Rules) -> dict[str, Any]:
    return {str(family): {"rules": rules[family]} for family in families}


def _settings(guess: Recognised, *, rejects: bool) -> dict[str, Any]:
    values: dict[str, Any] = {
        "preset": "web" if guess.http else "ssh",
        "sshPort": guess.ssh_port,
        "sshSources": [*guess.ssh_sources],
        "services": [_service(one) for one in guess.extra],
        "nodebalancer": guess.nodebalancer,
        "icmp": guess.icmp,
        "log": guess.log,
        "logRate": guess.log_rate,
        "ipv6Mode": "reject" if rejects else "filter",
    }
    default = FirewallSettings.model_validate({"preset": values["preset"]}).model_dump(by_alias=True, mode="json")
    return {name: value for name, value in values.items() if name == "preset" or value != default[name]}


def _service(one: Service) -> dict[str, Any]:
    ports = [int(port) if str(port).isdecimal() else port for port in one.ports]
    named: dict[str, Any] = {"name": one.name, "ports": ports, "protocol": one.protocol, "sources": [*one.sources]}
    named["types"] = [*one.types]
    return {name: value for name, value in named.items() if value and (name, value) != ("protocol", "tcp")}

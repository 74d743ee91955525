"""Rules that a kernel has become settings which give the same rules in a kernel, both families, both backends."""

from __future__ import annotations

from random import Random

import pytest

from adopt.firewall import typed_rules
from adopt.reading import firewall_settings
from components.failure import Failure
from components.firewall.ruleset.existing import existing
from components.firewall.ruleset.settings import RulesetFacts, RulesetInputs
from components.firewall.settings import FirewallSettings
from rules.language.parse import parse, parse_saved
from rules.language.render import canonical, render
from rules.plan.foreign import own_rules
from rules.values.family import Family
from tests.kernel.rulesets import Author
from tests.kernel.tables import BACKENDS, restore_all
from tests.unit.rules.strategies import Writer

pytestmark = pytest.mark.lab
ROUNDS = 15
PRESETS = (
    {},
    {"preset": "ssh", "sshPort": 2222, "log": False},
    {"sshSources": ["198.51.100.0/24", "2001:db8::/48"], "icmp": "listed", "nodebalancer": True},
    {"services": [{"name": "PostgreSQL", "ports": [5432], "sources": ["203.0.113.1", "203.0.113.2"]}]},
    {"services": [{"ports": [53], "protocol": "udp"}, {"ports": [8000, "9000:9010"]}], "logRate": "3/h"},
)
backends = pytest.mark.parametrize("backend", BACKENDS)
families = pytest.mark.parametrize("family", list(Family))


def corpus(family: Family) -> list[str]:
    """Rulesets of every match and target, of the analysis' kernel suite, and of the guide with its services."""
    written = [canonical(Writer(family, seed).ruleset(8)[0], family) for seed in range(ROUNDS)]
    written += [Author(family, Random(seed)).ruleset(12) for seed in range(ROUNDS)]
    return written + [FirewallSettings.model_validate(preset).ruleset(family) for preset in PRESETS]


@backends
@families
def test_what_is_adopted_loads_as_what_was_there(backend: str, family: Family) -> None:
    there = restore_all(backend, family, [(text,) for text in corpus(family)])
    adopted: dict[int, str] = {}
    for number, saved in enumerate(there):
        inputs = RulesetInputs(host="web1", family=family, rules="*filter\nCOMMIT\n")
        try:
            found = existing(inputs, RulesetFacts(saved=saved), saved)
        except Failure:  # a rule that nobody can declare, which is said
            continue
        adopted[number] = firewall_settings({family: found}).ruleset(family)
    assert len(adopted) >= 0.9 * len(there)
    again = restore_all(backend, family, [(text,) for text in adopted.values()])
    for number, saved in zip(adopted, again, strict=True):
        declared = parse(adopted[number], family)
        before = own_rules(parse_saved(there[number], family), declared)  # Docker's and the like are not ours
        assert render(parse_saved(saved, family)) == render(before)


@backends
def test_the_guides_rules_come_back_as_preset_and_services(backend: str) -> None:
    for preset in PRESETS:
        settings = FirewallSettings.model_validate(preset)
        printed = {family: restore_all(backend, family, [(settings.ruleset(family),)])[0] for family in Family}
        rules = {family: render(parse_saved(saved, family)) for family, saved in printed.items()}
        assert not {"ipv4", "ipv6"} & typed_rules(rules).keys(), preset

"""The iptables rule language, pure: parse, canonical form, edit script, ownership, presets. No I/O in here."""

from rules import presets
from rules.errors import RuleSyntaxError
from rules.family import Family
from rules.model import Chain, Match, Option, Rule, Ruleset, Table, Target
from rules.naming import names, resolve
from rules.ownership import plan
from rules.parse import parse, parse_rule, parse_saved
from rules.presets import Service
from rules.render import canonical, render, render_rule

__all__ = [
    "Chain",
    "Family",
    "Match",
    "Option",
    "Rule",
    "RuleSyntaxError",
    "Ruleset",
    "Service",
    "Table",
    "Target",
    "canonical",
    "names",
    "parse",
    "parse_rule",
    "parse_saved",
    "plan",
    "presets",
    "render",
    "render_rule",
    "resolve",
]

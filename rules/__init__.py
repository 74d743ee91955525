"""The iptables rule language: parser, canonical form, edit script, ownership, presets. Pure: no I/O."""

from rules.errors import RuleSyntaxError
from rules.language.naming import names, resolve
from rules.language.parse import parse, parse_rule, parse_saved
from rules.language.render import canonical, render, render_rule
from rules.model import Chain, Match, Option, Rule, Ruleset, Table, Target
from rules.plan.ownership import plan
from rules.presets import guide as presets
from rules.presets.guide import Service
from rules.values.family import Family

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

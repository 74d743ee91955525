"""The options of iptables itself, without extensions: base matches, and the commands of a line (man 8 iptables)."""

from __future__ import annotations

from dataclasses import dataclass

from rules.model import BASE_MATCHES
from rules.options import kinds as k
from rules.options.extensions import Extension, OptionSpec

# Base matches in saved order; ``-f`` is printed in its short form, like all of them.
BASE = Extension(
    "base",
    (
        OptionSpec("source", k.NETWORK, True, ("src", "s")),
        OptionSpec("destination", k.NETWORK, True, ("dst", "d")),
        OptionSpec("in-interface", k.INTERFACE, True, ("i",)),
        OptionSpec("out-interface", k.INTERFACE, True, ("o",)),
        OptionSpec("protocol", k.PROTOCOL, True, ("p",)),
        OptionSpec("fragment", k.FLAG, True, ("fragments", "f")),
    ),
)
SHORT = dict(zip(BASE_MATCHES, "sdiopf", strict=True))


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a line. ``words``: the fewest and the most arguments it accepts."""

    name: str
    least: int
    most: int


_COMMANDS = {
    "A": Command("append", 1, 1),
    "I": Command("insert", 1, 2),
    "R": Command("replace", 2, 2),
    "D": Command("delete", 1, 2),
    "N": Command("new-chain", 1, 1),
    "P": Command("policy", 2, 2),
    "F": Command("flush", 0, 1),
    "X": Command("delete-chain", 0, 1),
    "Z": Command("zero", 0, 1),
}
COMMANDS: dict[str, Command] = {
    **{f"-{letter}": command for letter, command in _COMMANDS.items()},
    **{f"--{command.name}": command for command in _COMMANDS.values()},
}
# Commands that only query, or that this language does not support.
REFUSED = {
    "-L": "list",
    "--list": "list",
    "-S": "list-rules",
    "--list-rules": "list-rules",
    "-C": "check",
    "--check": "check",
    "-E": "rename-chain",
    "--rename-chain": "rename-chain",
}
JUMP = {"-j": False, "--jump": False, "-g": True, "--goto": True}
MATCH = ("-m", "--match")
TABLE = ("-t", "--table")
COUNTERS = ("-c", "--set-counters")
WAIT = ("-w", "--wait", "-W", "--wait-interval")
IGNORED = ("-v", "--verbose", "-n", "--numeric", "-x", "--exact", "--line-numbers")
FAMILIES = {"-4": "ipv4", "--ipv4": "ipv4", "-6": "ipv6", "--ipv6": "ipv6"}
# Short options whose value may be in the same word. For others, iptables-restore takes the whole word as the value.
WITH_VALUE = frozenset(("-A", "-I", "-R", "-D", "-c"))
BASE_FLAGS: dict[str, OptionSpec] = {
    f"{'-' if len(name) == 1 else '--'}{name}": spec
    for spec in BASE.options or ()
    for name in (spec.name, *spec.aliases)
}
# Long options that are not matches; an abbreviation that fits one of them does not name a match's option.
LONG_FLAGS = tuple(
    flag
    for flag in (*COMMANDS, *REFUSED, *JUMP, *MATCH, *TABLE, *COUNTERS, *WAIT, *IGNORED, *FAMILIES)
    if flag.startswith("--")
)
CORE_FLAGS = frozenset((*BASE_FLAGS, *COMMANDS, *JUMP, *MATCH, *TABLE, *COUNTERS))

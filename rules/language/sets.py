"""IP sets that rules refer to (ipset(8)): parsed, kept in canonical form, compared.

The text of a set is input for ``ipset restore``: one ``create`` line and an ``add`` line for each entry. Sets that
others fill have :data:`OTHERS` after their first line instead. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from rules.language.render import render_rule
from rules.model import Option, Rule, Ruleset
from rules.values.family import Family
from rules.values.typed import Pair

FAMILIES = {Family.IPV4: "inet", Family.IPV6: "inet6"}
OTHERS = "# others fill it"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,30}")
_WORD = re.compile(r"[A-Za-z0-9_.:,/@-]+")
_TYPES = (
    *("hash:ip", "hash:net", "hash:mac", "hash:ip,mac", "hash:ip,mark", "hash:ip,port", "hash:ip,port,ip"),
    *("hash:ip,port,net", "hash:net,port", "hash:net,net", "hash:net,port,net", "hash:net,iface"),
    *("bitmap:ip", "bitmap:ip,mac", "bitmap:port"),
)
_WITHOUT_FAMILY = ("bitmap:port", "hash:mac")
_OPTIONS = (
    *("timeout", "maxelem", "hashsize", "bucketsize", "netmask", "markmask", "range", "counters", "comment"),
    *("skbinfo", "forceadd"),
)
_ENTRY_OPTIONS = re.compile(r"( nomatch)?( timeout [0-9]+)?")
_PASSING = re.compile(r" (timeout|packets|bytes|skbmark|skbprio|skbqueue) \S+| comment \".*\"")
_FLAGS = ("counters", "comment", "skbinfo", "forceadd")


@dataclass(frozen=True, slots=True)
class IpSet:
    """A set. ``family``: inet or inet6, "" if its type has none. ``entries``: None if others fill it."""

    name: str
    type: str
    family: str = "inet"
    options: tuple[tuple[str, str], ...] = ()
    entries: tuple[str, ...] | None = None

    @property
    def head(self) -> str:
        """The line that creates it."""
        family = f" family {self.family}" if self.type.startswith("hash:") and self.family else ""
        words = "".join(f" {name} {value}".rstrip() for name, value in self.options)
        return f"create {self.name} {self.type}{family}{words}"

    def lines(self) -> tuple[str, ...]:
        """Its text."""
        if self.entries is None:
            return (self.head, OTHERS)
        return (self.head, *(f"add {self.name} {entry}" for entry in self.entries))

    def fits(self, family: Family) -> bool:
        """Whether rules of a family can refer to it."""
        return self.family in ("", FAMILIES[family])


def made(name: str, type_: str, family: str, options: dict[str, str], entries: Iterable[str] | None) -> IpSet:
    """A set in canonical form; ``family`` "": that of its entries. Raises :class:`ValueError`."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a set: letters, digits and _ . : - alone, 31 at most")
    if name.startswith("stockade."):
        raise ValueError(f"{name}: names that begin with `stockade.` are Stockade's own")
    if type_ not in _TYPES:
        raise ValueError(f"{name}: there is no type {type_!r}; there are {', '.join(_TYPES)}")
    given = None if entries is None else tuple(entries)
    family = _family(name, type_, family, given or ())
    words = tuple(_option(name, *option) for option in sorted(options.items()))
    if given is None:
        return IpSet(name, type_, family, words)
    found = dict.fromkeys(_entry(name, type_, family, entry) for entry in given)
    return IpSet(name, type_, family, words, tuple(sorted(found, key=_order)))


def read(text: str) -> tuple[IpSet, ...]:
    """Parse sets from their text, sorted by name. Raises :class:`ValueError`."""
    heads: dict[str, tuple[str, str, dict[str, str]]] = {}
    entries: dict[str, list[str]] = {}
    others = set()
    last = ""
    for line in filter(None, text.split("\n")):
        words = line.split()
        if line.strip() == OTHERS and last:
            others.add(last)
        elif words[:1] == ["create"] and len(words) > 2:
            last = words[1]
            heads[last], entries[last] = _head(words), []
        elif words[:1] == ["add"] and len(words) > 2 and words[1] in entries:
            entries[words[1]].append(" ".join(words[2:]))
        elif words:
            raise ValueError(f"neither `create NAME TYPE` nor `add NAME ENTRY` of a set made before: {line!r}")
    return tuple(made(name, *heads[name], None if name in others else entries[name]) for name in sorted(heads))


def write(sets: Iterable[IpSet]) -> str:
    """The text of sets, sorted by name."""
    return "\n".join(line for one in sorted(sets, key=lambda one: one.name) for line in one.lines())


def used(rules: Ruleset) -> dict[str, str]:
    """Names of the sets that rules match or fill, each with the first rule that does."""
    found: dict[str, str] = {}
    for _table, rule in rules.rules():
        for name in _named(rule):
            found.setdefault(name, render_rule(rule, rules.family))
    return found


def lacking(rules: Ruleset, declared: Iterable[IpSet]) -> str:
    """Name a set, or another object, that the rules need but that does not exist at boot; empty if there is none."""
    known = {one.name: one for one in declared}
    for name, line in used(rules).items():
        if name not in known:
            return (
                f"{line}: at boot there is no set {name}, and none of these rules could be loaded; declare it under "
                f"`sets` (without `entries` where others fill it), or set `persistent: false`"
            )
        if not known[name].fits(rules.family):
            return f"{line}: the set {name} has family {known[name].family}, so no packet of this rule is in it"
    for _table, rule in rules.rules():
        need = _made_later(rule)
        if need:
            line = render_rule(rule, rules.family)
            why = f"at boot there is no {need} yet, and none of these rules could be loaded"
            return f"{line}: {why}; leave the rule out, or set `persistent: false`"
    return ""


def printed(text: str) -> str:
    """The output of ``ipset save`` without what changes on its own: sorted, no sizes, counters or timeouts."""
    lines = []
    for line in filter(None, text.split("\n")):
        words = line.split()
        if words[:1] == ["create"] and len(words) > 2:
            type_, family, _ = _head(words)
            lines.append(f"create {words[1]} {type_}" + (f" family {family}" if family else ""))
        elif words[:1] == ["add"] and len(words) > 2:
            lines.append(_PASSING.sub("", line))
    return "\n".join(sorted(lines, key=lambda line: (line.split()[1], not line.startswith("create"), line)))


def not_there(declared: str, now: str) -> str:
    """Name the first declared set that is missing from the kernel, or exists there as another type."""
    there = {line for line in filter(None, now.split("\n")) if line.startswith("create ")}
    wanted = {one.name: printed(one.head) for one in read(declared)}
    return next((name for name, line in wanted.items() if line not in there), "")


def as_shown(declared: str, then: str, now: str) -> str:
    """What is declared, with the differences between two readings of the kernel's sets (:func:`printed`)."""
    sets = {one.name: one for one in read(declared)}
    before, after = _by_name(then), _by_name(now)
    shown = []
    for name, one in sets.items():
        old, new = before.get(name, ()), after.get(name, ())
        if old and not new:
            continue  # removed
        if one.entries is None or old == new:
            shown.append(one)
            continue
        gone, come = set(old) - set(new), [entry for entry in new if entry not in old]
        left = [entry for entry in one.entries if entry not in gone]
        entries = (*left, *come) if len(one.entries) - len(left) == len(gone) else new
        shown.append(IpSet(one.name, one.type, one.family, one.options, tuple(sorted(entries, key=_order))))
    return write(shown)


def _by_name(text: str) -> dict[str, tuple[str, ...]]:
    """The entries of each set, preceded by "" for the set itself."""
    found: dict[str, list[str]] = {}
    for line in filter(None, text.split("\n")):
        kind, name, rest = line.split(" ", 2)
        found.setdefault(name, []).append("" if kind == "create" else rest)
    return {name: tuple(entries) for name, entries in found.items()}


def _head(words: list[str]) -> tuple[str, str, dict[str, str]]:
    """Type, family and options of a ``create`` line."""
    options: dict[str, str] = {}
    rest = iter(words[3:])
    for word in rest:
        options[word] = "" if word in _FLAGS else next(rest, "")
    return words[2], options.pop("family", ""), options


def _family(name: str, type_: str, family: str, entries: tuple[str, ...]) -> str:
    if type_ in _WITHOUT_FAMILY:
        if family:
            raise ValueError(f"{name}: sets of type {type_} have no family")
        return ""
    if family not in ("", "inet", "inet6"):
        raise ValueError(f"{name}: the family is inet or inet6, not {family!r}")
    if not family:
        found = {"inet6" if entry.split(",")[0].count(":") > 1 else "inet" for entry in entries}
        if len(found) > 1:
            raise ValueError(f"{name}: a set has IPv4 or IPv6 addresses, not both: make two, each for its own rules")
        family = found.pop() if found else "inet"
    if type_.startswith("bitmap:") and family == "inet6":
        raise ValueError(f"{name}: sets of type {type_} have IPv4 addresses alone")
    return family


def _option(name: str, word: str, value: str) -> tuple[str, str]:
    if word not in _OPTIONS:
        raise ValueError(f"{name}: there is no option {word!r}; there are {', '.join(_OPTIONS)}")
    if word in _FLAGS:
        if value.lower() not in ("", "true", "yes"):
            raise ValueError(f"{name}: {word} takes no value: `{word}: true`")
        return word, ""
    if not _WORD.fullmatch(value):
        raise ValueError(f"{name}: {value!r} is no value of {word}")
    return word, value


def _entry(name: str, type_: str, family: str, entry: str) -> str:
    """One entry in canonical form, with its own options."""
    element, *words = entry.split()
    if not _WORD.fullmatch(element) or not _ENTRY_OPTIONS.fullmatch("".join(f" {word}" for word in words)):
        raise ValueError(f"{name}: {entry!r} is no entry of a set")
    kinds, parts = type_.partition(":")[2].split(","), element.split(",")
    if len(parts) != len(kinds):
        raise ValueError(f"{name}: {entry!r} has not the {len(kinds)} parts of {type_}")
    canonical = (
        _address(name, part, kind, family) if kind in ("ip", "net") else part
        for kind, part in zip(kinds, parts, strict=True)
    )
    return " ".join((",".join(canonical), *words))


def _address(name: str, part: str, kind: str, family: str) -> str:
    """An address, a network, or a range. A host name would need a name server, which is not available during boot."""
    version = 6 if family == "inet6" else 4
    try:
        if "-" in part:
            first, last = map(ip_address, part.split("-", 1))
            if (first.version, last.version) != (version, version):
                raise ValueError(part)
            return f"{first}-{last}"
        network = ip_network(part, strict=False)
        if network.version != version:
            raise ValueError(part)
    except ValueError:
        raise ValueError(f"{name}: {part!r} is neither an IPv{version} address nor a network") from None
    if kind == "net" and network.prefixlen == 0:
        raise ValueError(f"{name}: a set cannot hold {network}: give its two halves")
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _order(entry: str) -> tuple[int, int, str]:
    address = re.split(r"[/,\- ]", entry, maxsplit=1)[0]
    try:
        number = ip_address(address)
    except ValueError:
        return 9, 0, entry
    return number.version, int(number), entry


def _named(rule: Rule) -> Iterator[str]:
    options: list[Option] = [option for match in rule.matches if match.name == "set" for option in match.options]
    if rule.target is not None and rule.target.name == "SET":
        options += rule.target.options
    for option in options:
        if option.name in ("match-set", "add-set", "del-set", "map-set") and isinstance(option.value, Pair):
            yield option.value.first


# Matches and options that name objects created by the running system.
_OBJECTS = (
    ("cgroup", "path", "cgroup"),
    ("bpf", "object-pinned", "object"),
    ("nfacct", "nfacct-name", "accounting object"),
)
_THERE_AT_BOOT = ("", "system.slice", "init.scope")


def _made_later(rule: Rule) -> str:
    """An object named by a rule that the running system creates, other than a file; empty if there is none."""
    for match in rule.matches:
        for name, option_name, what in _OBJECTS:
            named = match.option(option_name) if match.name == name else None
            if named is not None and str(named.value).strip("/") not in _THERE_AT_BOOT:
                return f"{what} {named.value}"
    option = rule.target.option("timeout") if rule.target is not None and rule.target.name == "CT" else None
    return f"timeout policy {option.value}" if option is not None else ""

"""Other firewalls on a host: ufw, firewalld, nftables.service, nftables tables, and the other iptables variant.

Describes the lines printed by find.sh, and selects those that are in the way. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from components.firewall.boot.installed import NFT_TABLE
from rules.language.parse import parse_saved
from rules.model import BUILTIN_CHAINS, Chain, Ruleset, Table
from rules.plan.foreign import own_rules
from rules.plan.ownership import plan
from rules.values.family import Family

PROGRAMS = (
    *("firewalld", "nftables", "shorewall", "shorewall6", "ferm", "firehol", "foomuuri", "csf", "lfd", "apf"),
    *("arno-iptables-firewall", "uruk", "nftfw", "vuurmuur"),
)
"""Services that load their own rules, and mostly flush first. ufw is not among them: it has its own switch."""

KEPT_TABLES = (
    *("* docker*", "* libvirt*", "* netavark*", "* podman*", "* cni*", "* kube-*", "* cali*", "* cilium*", "* lx[cd]*"),
    *("* incus*", "* f2b-*", "* crowdsec*", "* sshguard*", "* tailscale*", "* wg-quick-*", "* io.systemd.*"),
    "inet firewalld",  # reported by the name of its program
    f"* {NFT_TABLE}",  # ours, from a boot at which the rules could not be loaded
)
"""Tables of nftables that belong to managers of containers, virtual machines and bans, like their chains."""

_NFTABLES = ("nftables", "foomuuri", "nftfw")

OTHER_VARIANTS = ("iptables-legacy", "iptables-nft")
DOCKER = "DOCKER"

WAY_OUT = (
    "Set `takeOver: true` under `stockade:firewall` to let Stockade stop it (delete restores it), or stop it yourself"
)
BESIDE = ", or name it in `beside` to leave it in force"


@dataclass(frozen=True)
class TakeOver:
    """What to take over, and the transactions that remove and restore the rules of the other iptables."""

    lines: tuple[str, ...] = ()
    other: str = ""
    other_back: str = ""


def checked(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return `patterns`. Raises `ValueError` if one names neither a table nor the other iptables."""
    for pattern in patterns:
        family, _, name = pattern.partition(" ")
        if pattern not in OTHER_VARIANTS and not (name and family in {"inet", "ip", "ip6", "netdev", "*"}):
            known = " or ".join(OTHER_VARIANTS)
            raise ValueError(f"{pattern!r} is neither a table of nftables, as `inet blocklist`, nor {known}")
    return patterns


def in_the_way(lines: str, other: str, family: Family, beside: Sequence[str]) -> tuple[str, ...]:
    """Return those that would undo or restrict our rules, except those declared in `beside`.

    `other`: the rules of the other iptables. Chains that are preserved beside ours are preserved there too.
    """
    return tuple(line for line in lines.splitlines() if line.strip() and not _beside(line, other, family, beside))


def _beside(line: str, other: str, family: Family, beside: Sequence[str]) -> bool:
    kind, _, rest = line.partition(" ")
    if kind == "table":
        return any(fnmatchcase(rest, pattern) for pattern in beside)
    if kind == "other":
        return f"iptables-{rest.split()[0]}" in beside or not _filters(parse_saved(other, family))
    return kind in ("beside", "native")


def natives(lines: str) -> tuple[str, ...]:
    """Return those about what nft has written into iptables' tables and iptables cannot print."""
    return tuple(line for line in lines.splitlines() if line.startswith("native "))


def hidden_tables(lines: str) -> frozenset[str]:
    """Return the tables of iptables whose rules iptables cannot print because of that, or prints in part."""
    return frozenset(line.split()[2] for line in natives(lines))


def plan_take_over(lines: tuple[str, ...], other: str, family: Family) -> TakeOver:
    """Plan the takeover."""
    if not any(line.startswith("other ") for line in lines):
        return TakeOver(lines)
    current = parse_saved(other, family)
    bare = _bare(current)
    own = own_rules(current, bare)
    without = Ruleset(family, tuple(_without(table, own, bare) for table in current.tables))
    return TakeOver(lines, plan(current, bare).transaction(), plan(without, own).transaction())


def _bare(current: Ruleset) -> Ruleset:
    """The same tables, empty and open. What Docker closed is left to Docker."""
    tables = []
    for table in current.tables:
        docker = any(name.startswith(DOCKER) for name in table.user_chains)
        names = (chain for chain in table.chains if chain.name in BUILTIN_CHAINS.get(table.name, ()))
        chains = (Chain(one.name, one.policy if docker and one.name == "FORWARD" else "ACCEPT") for one in names)
        tables.append(Table(table.name, tuple(chains)))
    return Ruleset(current.family, tuple(tables))


def _filters(current: Ruleset) -> bool:
    bare = _bare(current)
    return own_rules(current, bare) != bare


def _without(table: Table, own: Ruleset, bare: Ruleset) -> Table:
    """A table after our plan has removed `own` from it."""
    chains = []
    for chain in table.chains:
        gone, left = own.chain(table.name, chain.name), bare.chain(table.name, chain.name)
        if gone is None or left is None:
            chains.append(chain)
            continue
        chains.append(Chain(chain.name, left.policy, tuple(rule for rule in chain.rules if rule not in gone.rules)))
    return Table(table.name, tuple(chains))


def brings_rules(lines: str, saved: str) -> bool:
    """Whether starting one of these again loads iptables rules by itself. `saved`: the rules at that time."""
    for line in lines.splitlines():
        kind = line.split()[0]
        if kind == "firewalld" and "INPUT_direct" not in saved:
            continue  # its rules are in an nftables table
        if kind not in {*_NFTABLES, "table", "beside", "other", "native"}:
            return True
    return False


def still_there(then: str, now: str) -> bool:
    """Whether a program that brings its own iptables rules had them in force then and has them now."""
    before, after = (
        {line.split()[0] for line in lines.splitlines() if brings_rules(line, "")} for lines in (then, now)
    )
    return bool(before & after)


def obstacle(lines: Sequence[str]) -> str:
    """Return what is in the way, and what to do."""
    mend = WAY_OUT + (BESIDE if all(line.startswith(("table ", "other ")) for line in lines) else "")
    return f"{', and '.join(map(in_words, lines))}: this would undo or restrict what Stockade declares. {mend}"


def in_words(line: str) -> str:
    """Describe one line."""
    kind, *rest = line.split()
    if kind in {"table", "beside"}:
        return f"the nftables table {' '.join(rest)} drops packets, too"
    if kind == "other":
        return f"there are rules of iptables-{rest[0]}, too (`iptables-{rest[0]}-save` shows them)"
    if kind == "native":
        family, table, *about = rest
        what = {"rule": "the rule", "chain": "the base chain"}.get(about[0], "") if about else "something"
        return f"nft has written {' '.join((what, *about[1:]))} into iptables' table {family} {table}"
    if kind == "ufw-left":
        return "ufw is gone, and its rules are still in force"
    active = len(rest) < 2 or rest[1] in {"active", "activating", "reloading"}
    name = f"{kind}.service" if kind == "nftables" else kind
    first = ", and starts with `flush ruleset`" if "flush" in rest else ""
    return f"{name} is active{first}" if active else f"{name} starts at the next boot{first}"


def exposure_notes(beside: Sequence[str]) -> tuple[str, ...]:
    """Notes in the exposure about what is declared to filter beside our rules."""
    tables = (f"the nftables table {one}" if " " in one else f"the rules of {one}" for one in beside)
    return tuple(f"possibly less than that: {one} may deny more" for one in tables)


def native_refusal(lines: Sequence[str]) -> str:
    """Return why rules cannot be taken over in which nft has a part, and what to do."""
    return (
        f"{', and '.join(map(in_words, lines[:3]))}, which iptables cannot print and so nobody could restore later. "
        "Declare it as a rule of iptables' if it is needed, and remove it: `nft -a list ruleset` shows it"
    )


def exposure_drift(lines: Sequence[str], cause: str) -> Iterator[str]:
    """Notes in the exposure about other firewalls now, and about what emptied our rules."""
    if cause:
        yield emptied(cause)
    for line in lines:
        yield f"not as declared: {in_words(line)}"


def emptied(cause: str) -> str:
    """Describe what emptied the rules, from the output of cause.sh."""
    rows = [row.split() for row in cause.splitlines()[1:]]
    likely = [f"{unit} ({time})" for rank, unit, time in rows if rank == "1"]
    others = [f"{unit} ({time})" for rank, unit, time in rows if rank != "1"]
    if likely:
        return f"our rules were flushed: by {' or '.join(likely)}, which loads rules and was started or stopped since"
    if others:
        return f"our rules were flushed since they were loaded; started or stopped since then: {', '.join(others)}"
    return "our rules were flushed since they were loaded, by hand or by a program that leaves no trace"

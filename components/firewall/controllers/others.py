"""Who else filters on a host: ufw, firewalld, nftables.service, tables of nftables, the other of iptables' two kernels.

The lines that find.sh prints, in words, and which of them are in the way. Pure.
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
"""Services that load, and mostly flush, rules of their own. ufw has a switch instead."""

KEPT_TABLES = (
    *("* docker*", "* libvirt*", "* netavark*", "* podman*", "* cni*", "* kube-*", "* cali*", "* cilium*", "* lx[cd]*"),
    *("* incus*", "* f2b-*", "* crowdsec*", "* sshguard*", "* tailscale*", "* wg-quick-*", "* io.systemd.*"),
    "inet firewalld",  # its program is the one to name
    f"* {NFT_TABLE}",  # ours, where the rules could not be loaded at boot
)
"""Tables of nftables that managers of containers, virtual machines and bans own, as they do their chains."""

_NFTABLES = ("nftables", "foomuuri", "nftfw")

OTHER_VARIANTS = ("iptables-legacy", "iptables-nft")
DOCKER = "DOCKER"

WAY_OUT = (
    "Set `takeOver: true` under `stockade:firewall` to let Stockade stop it (delete restores it), or stop it yourself"
)
BESIDE = ", or name it in `beside` to leave it in force"


@dataclass(frozen=True)
class TakeOver:
    """What is to be taken over, and the transactions that remove the rules of the other iptables and put them back."""

    lines: tuple[str, ...] = ()
    other: str = ""
    other_back: str = ""


def checked(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return `patterns`. Raises `ValueError` for one that names neither a table nor the other iptables."""
    for pattern in patterns:
        family, _, name = pattern.partition(" ")
        if pattern not in OTHER_VARIANTS and not (name and family in {"inet", "ip", "ip6", "netdev", "*"}):
            known = " or ".join(OTHER_VARIANTS)
            raise ValueError(f"{pattern!r} is neither a table of nftables, as `inet blocklist`, nor {known}")
    return patterns


def in_the_way(lines: str, other: str, family: Family, beside: Sequence[str]) -> tuple[str, ...]:
    """Those that would undo or narrow our work, but for what is declared to be `beside` it.

    `other`: what the other iptables has. Whose chains are left beside ours are left there, too.
    """
    return tuple(line for line in lines.splitlines() if line.strip() and not _beside(line, other, family, beside))


def _beside(line: str, other: str, family: Family, beside: Sequence[str]) -> bool:
    kind, _, rest = line.partition(" ")
    if kind == "table":
        return any(fnmatchcase(rest, pattern) for pattern in beside)
    if kind == "other":
        return f"iptables-{rest.split()[0]}" in beside or not _filters(parse_saved(other, family))
    return kind == "beside"


def plan_take_over(lines: tuple[str, ...], other: str, family: Family) -> TakeOver:
    """Plan how these are taken over."""
    if not any(line.startswith("other ") for line in lines):
        return TakeOver(lines)
    current = parse_saved(other, family)
    bare = _bare(current)
    own = own_rules(current, bare)
    without = Ruleset(family, tuple(_without(table, own, bare) for table in current.tables))
    return TakeOver(lines, plan(current, bare).transaction(), plan(without, own).transaction())


def _bare(current: Ruleset) -> Ruleset:
    """The same tables, empty and open; what Docker closed it looks after itself."""
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
    """A table as it is once our plan has taken `own` out of it."""
    chains = []
    for chain in table.chains:
        gone, left = own.chain(table.name, chain.name), bare.chain(table.name, chain.name)
        if gone is None or left is None:
            chains.append(chain)
            continue
        chains.append(Chain(chain.name, left.policy, tuple(rule for rule in chain.rules if rule not in gone.rules)))
    return Table(table.name, tuple(chains))


def brings_rules(lines: str, saved: str) -> bool:
    """Whether one of these loads rules of iptables by itself when it is started again; `saved`: the rules of then."""
    for line in lines.splitlines():
        kind = line.split()[0]
        if kind == "firewalld" and "INPUT_direct" not in saved:
            continue  # its rules are a table of nftables
        if kind not in {*_NFTABLES, "table", "beside", "other"}:
            return True
    return False


def still_there(then: str, now: str) -> bool:
    """Whether a program that brings rules of iptables along has them in force, then and now."""
    before, after = (
        {line.split()[0] for line in lines.splitlines() if brings_rules(line, "")} for lines in (then, now)
    )
    return bool(before & after)


def obstacle(lines: Sequence[str]) -> str:
    """Say who is in the way, and what to do."""
    mend = WAY_OUT + (BESIDE if all(line.startswith(("table ", "other ")) for line in lines) else "")
    return f"{', and '.join(map(in_words, lines))}: this would undo or restrict what Stockade declares. {mend}"


def in_words(line: str) -> str:
    """One line in words."""
    kind, *rest = line.split()
    if kind in {"table", "beside"}:
        return f"the nftables table {' '.join(rest)} drops packets, too"
    if kind == "other":
        return f"there are rules of iptables-{rest[0]}, too (`iptables-{rest[0]}-save` shows them)"
    if kind == "ufw-left":
        return "ufw is gone, and its rules are still in force"
    active = len(rest) < 2 or rest[1] in {"active", "activating", "reloading"}
    name = f"{kind}.service" if kind == "nftables" else kind
    first = ", and starts with `flush ruleset`" if "flush" in rest else ""
    return f"{name} is active{first}" if active else f"{name} starts at the next boot{first}"


def exposure_notes(beside: Sequence[str]) -> tuple[str, ...]:
    """What the exposure says of what is declared to filter beside our rules."""
    tables = (f"the nftables table {one}" if " " in one else f"the rules of {one}" for one in beside)
    return tuple(f"possibly less than that: {one} may deny more" for one in tables)


def exposure_drift(lines: Sequence[str], cause: str) -> Iterator[str]:
    """What the exposure says of who else filters now, and of who emptied our rules."""
    if cause:
        yield emptied(cause)
    for line in lines:
        yield f"not as declared: {in_words(line)}"


def emptied(cause: str) -> str:
    """Say what is known of who emptied the rules, from what cause.sh printed."""
    rows = [row.split() for row in cause.splitlines()[1:]]
    likely = [f"{unit} ({time})" for rank, unit, time in rows if rank == "1"]
    others = [f"{unit} ({time})" for rank, unit, time in rows if rank != "1"]
    if likely:
        return f"our rules were flushed: by {' or '.join(likely)}, which loads rules and was started or stopped since"
    if others:
        return f"our rules were flushed since they were loaded; started or stopped since then: {', '.join(others)}"
    return "our rules were flushed since they were loaded, by hand or by a program that leaves no trace"

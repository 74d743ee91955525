"""What may be in force on each machine, derived from what was declared and the results of runs. No I/O.

After a successful run there is one possibility for each chapter, after a failed or killed one there are two.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

CHAPTERS = ("firewall", "sshd", "deploy", "guest", "fail2ban", "updates")
CLOSED = 3306
"""A port that is never declared."""
POOL = (8080, 8443, 9000)
"""Ports that rules may open."""
PORTS = (CLOSED, *POOL)
ALL = "everything"
Facts = Mapping[str, object]


@dataclass(frozen=True)
class Wanted:
    """What the stack declares for each of its hosts; None: the chapter is not declared.

    `firewall`: open ports besides SSH. `sshd`: a word in sshd's banner. `deploy`, `guest`: numbers of the keys of the
    admin and of a user without sudo. `fail2ban`: its `maxretry`. `updates`: its `rebootTime`. `admin`: the key that
    runs log in with.
    """

    firewall: frozenset[int] | None = None
    sshd: str | None = None
    deploy: tuple[int, ...] | None = None
    guest: int | None = None
    fail2ban: int | None = None
    updates: str | None = None
    admin: int = 0

    def declares(self, chapter: str) -> bool:
        """Tell whether a chapter is declared."""
        return getattr(self, chapter) is not None

    def facts(self, chapter: str, keys: Iterable[int]) -> dict[str, object]:
        """Return the facts about a host on which this is in force."""
        if chapter == "firewall":
            return {
                f"{family} tcp {port}": self.firewall is None or port in self.firewall
                for family in ("ipv4", "ipv6")
                for port in PORTS
            }
        if chapter == "sshd":
            ours = self.sshd is not None
            return {"sshd says": self.sshd or "", "root logs in": not ours, "takes passwords": not ours}
        if chapter == "deploy":
            return {f"deploy with key {key}": "root" if key in (self.deploy or ()) else "out" for key in keys}
        if chapter == "guest":
            return {f"guest with key {key}": "in" if key == self.guest else "out" for key in keys}
        return {chapter: "" if getattr(self, chapter) is None else str(getattr(self, chapter))}


BARE = Wanted()


@dataclass
class Dirt:
    """A foreign change in a chapter. `undo`: how to undo it by hand, as long as nothing has happened since."""

    kind: str
    undo: str = ""
    seen: bool = False


@dataclass
class Machine:
    """One lab host.

    `may`: what may be in force, by chapter. `dirt`: foreign changes, by chapter. `spoiled`: chapters about which
    nothing is known until the machine is reinstalled. `unknown`: chapters that may be in no state.
    """

    name: str
    may: dict[str, frozenset[Wanted]] = field(default_factory=dict)
    dirt: dict[str, Dirt] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.install()

    def install(self) -> None:
        """Reset the model to a new machine."""
        self.may = dict.fromkeys(CHAPTERS, frozenset({BARE}))
        self.dirt, self.spoiled, self.unknown = {}, set(), set()

    @property
    def bare(self) -> bool:
        """Whether it is certainly as new."""
        return all(may == {BARE} for may in self.may.values())

    @property
    def clean(self) -> bool:
        """Whether all of it can be checked."""
        return not (self.dirt or self.spoiled or self.unknown)

    def expected(self, chapter: str, keys: Iterable[int]) -> dict[str, frozenset[object]]:
        """Return the possible values, by fact."""
        told = [wanted.facts(chapter, keys) for wanted in self.may[chapter]]
        return {name: frozenset(facts[name] for facts in told) for name in told[0]}


@dataclass
class World:
    """All machines, what is declared, and the possible states.

    `declared`, `states`: machines by host name. The last run left one of `states`.
    """

    machines: dict[str, Machine]
    declared: dict[str, str]
    wanted: Wanted
    states: list[dict[str, str]] = field(default_factory=lambda: [{}])
    newest: int = 1
    """The number of the newest key."""
    down: set[str] = field(default_factory=set)
    killed: bool = False

    @property
    def keys(self) -> tuple[int, ...]:
        """The keys to try: those of the last rotations."""
        return tuple(range(max(0, self.newest - 3), self.newest + 1))

    @property
    def free(self) -> list[Machine]:
        """Machines that are not declared."""
        return [machine for machine in self.machines.values() if machine.name not in self.declared.values()]

    @property
    def managed(self) -> list[Machine]:
        """Machines that are declared, and were declared in the last run, which succeeded."""
        steady = self.declared if self.states == [self.declared] else {}
        return [self.machines[of] for of in steady.values() if of not in self.down]

    def excused(self) -> str:
        """Return why a run may fail; "" if it may not."""
        kinds = {dirt.kind for machine in self.machines.values() for dirt in machine.dirt.values() if not dirt.seen}
        others = ["down"] if self.down else []
        return ", ".join([*sorted(kinds & {"installed anew", "restored"}), *others])

    def applied(self) -> None:
        """An `up` succeeded."""
        for machine in self.machines.values():
            names = {name for state in self.states for name, of in state.items() if of == machine.name}
            if machine.name in self.declared.values():
                for chapter in CHAPTERS:
                    self._settle(machine, chapter, self.wanted if self.wanted.declares(chapter) else BARE)
            elif names & set(self.declared):  # another machine took its name: it is left alone
                machine.unknown |= {chapter for chapter in CHAPTERS if machine.may[chapter] != {BARE}}
            elif names:
                everywhere = all(machine.name in state.values() for state in self.states)
                for chapter in CHAPTERS:
                    if not everywhere:
                        machine.unknown.add(chapter)
                    self._settle(machine, chapter, BARE)
        self._ended([dict(self.declared)])

    def destroyed(self) -> None:
        """A `destroy` succeeded."""
        for machine in self.machines.values():
            names = {name for state in self.states for name, of in state.items() if of == machine.name}
            sure = all(machine.name in state.values() for state in self.states)
            found = {name for name in names if self.declared.get(name, machine.name) == machine.name}
            if names and not found and machine.name not in self.declared.values():  # another machine has its name
                machine.unknown |= {chapter for chapter in CHAPTERS if machine.may[chapter] != {BARE}}
                continue
            for chapter in CHAPTERS if names else ():
                if not sure:
                    machine.unknown.add(chapter)
                self._settle(machine, chapter, BARE)
        self._ended([{}])

    def _settle(self, machine: Machine, chapter: str, wanted: Wanted) -> None:
        dirt = machine.dirt.get(chapter)
        if wanted is BARE and dirt is not None and machine.may[chapter] != {BARE}:
            machine.spoiled.add(chapter)
        if wanted is BARE and chapter in machine.unknown:
            machine.may[chapter] |= {BARE}
        else:
            machine.may[chapter] = frozenset({replace(wanted, admin=0)})
            machine.unknown.discard(chapter)
        if dirt is not None and dirt.seen:
            del machine.dirt[chapter]
        elif dirt is not None:
            dirt.undo = ""

    def _ended(self, states: list[dict[str, str]]) -> None:
        self.states, self.killed = states, False

    def broke_off(self, *, killed: bool = False, destroying: bool = False) -> None:
        """An `up` or `destroy` failed or was killed: each chapter is as before or as declared."""
        target: dict[str, str] = {} if destroying else self.declared
        for machine in self.machines.values():
            for dirt in machine.dirt.values():
                dirt.undo = ""
            known = any(machine.name in state.values() for state in self.states)
            if machine.name not in target.values() and not known:
                continue
            for chapter in CHAPTERS:
                to_be = self.wanted if machine.name in target.values() and self.wanted.declares(chapter) else BARE
                if killed and to_be is not BARE and BARE in machine.may[chapter]:
                    machine.unknown.add(chapter)
                machine.may[chapter] |= {replace(to_be, admin=0)}
        if target not in self.states:
            self.states = [*self.states, dict(target)]
        self.killed = self.killed or killed

    def refreshed(self) -> None:
        """A refresh succeeded: changes by hand on hosts that it reached are in the state now."""
        for machine in self.machines.values():
            if all(self._reached(state, machine.name) for state in self.states):
                for dirt in machine.dirt.values():
                    dirt.seen = True

    def _reached(self, state: Mapping[str, str], machine: str) -> bool:
        return any(
            of == machine and (self.declared.get(name) == machine or name not in self.declared)
            for name, of in state.items()
        )

    def restored(self, state: dict[str, str]) -> None:
        """A former state was restored."""
        for machine in self.machines.values():
            if machine.name in state.values() or any(machine.name in last.values() for last in self.states):
                machine.unknown |= {chapter for chapter in CHAPTERS if machine.may[chapter] != {BARE}}
                for chapter in CHAPTERS:
                    machine.dirt[chapter] = Dirt("restored")
        self._ended([state])

    def missing(
        self, machine: Machine, seen: Facts, *, hidden: bool = False
    ) -> dict[str, tuple[frozenset[object], object]]:
        """Return differences: possible values and actual ones. `hidden`: without everything that drifted."""
        out = {}
        for chapter in CHAPTERS:
            dirt = machine.dirt.get(chapter)
            if chapter in machine.spoiled or (dirt and (hidden or not dirt.seen)):
                continue
            for name, may in machine.expected(chapter, self.keys).items():
                if seen[name] not in may:
                    out[name] = (may, seen[name])
        return out

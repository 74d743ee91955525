"""What Stockade keeps on a host: for each of its resources who manages it, and what was there before it came.

The state file keeps the prior state too, but a run that is killed before the state is written would take its own
half-done work for the prior state when it is repeated. And a host may come to another resource (renamed, replaced,
moved to another stack): the record goes over to it, and whoever had it before no longer undoes anything.

    /var/lib/stockade/prior/TITLE    what `observe` printed before the first change; removed by `delete`. Its first
                                     line is the mark between its sections, drawn anew for each record. Where somebody
                                     had removed it: what the state knows of it, `FACTS` and a line of JSON
    /var/lib/stockade/owner/TITLE    whose it is, one line of JSON (`Owner`); removed by `delete`
"""

import base64
import hashlib
import json
import re
import secrets as random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from hosts.errors import understanding
from hosts.scripts import script
from hosts.shell import Answer, Script, replay
from hosts.text.rawtext import to_bytes

if TYPE_CHECKING:
    from hosts.host import Host

FOLDER = "/var/lib/stockade/prior"
RUN = "STOCKADE_RUN"
"""The environment variable with the token of the run that a process is part of; else it is a run of its own."""
_FORMER = 8
FACTS = "facts "
"""What the record of a prior state begins with that has been written back from a state."""
CHANGED = 76
"""Exit status: the record is no longer as it was read; nothing was changed."""


@dataclass(frozen=True)
class Owner:
    """Who manages one resource of a host.

    `claim`: a random word that the state of the owner has too; project, stack and resource (its name) are for people,
    and for a state that has lost it. `run`: the token of the run that made it the owner. `machine`: where that
    was (`Machine.id`); a disk that was copied has the record of another machine. `lineage`: a random word that all of
    the owner's state has, and its backups; another state of the same stack has another. `since`: when it became the
    owner. `former`: lineages that it was taken over from.
    """

    claim: str
    project: str
    stack: str
    resource: str
    run: str = ""
    machine: str = ""
    lineage: str = ""
    since: str = ""
    former: str = ""

    def text(self) -> str:
        """Return it as the line that is kept on the host."""
        words = asdict(self)
        return json.dumps({name: words[name] for name in words if words[name] or name in _FIELDS}, sort_keys=True)

    def named_as(self, other: "Owner") -> bool:
        """Tell whether both are the same resource of the same stack, whatever their claims."""
        names = (self.project, self.stack, self.resource)
        return names == (other.project, other.stack, other.resource)

    def same_as(self, other: "Owner") -> bool:
        """Tell whether both are the same, whichever run recorded it."""
        return self.claim == other.claim and self.lineage == other.lineage and self.named_as(other)

    def of_another_state(self, other: "Owner") -> bool:
        """Tell whether both are of one stack and each of another state: a second checkout's, or one that was lost."""
        one, two = (self.project, self.stack), (other.project, other.stack)
        return bool(self.lineage and other.lineage) and self.lineage != other.lineage and one == two

    def took_over_from(self, other: "Owner") -> bool:
        """Tell whether the state of `other` had it, and another one of the same stack has taken it over since."""
        return self.of_another_state(other) and other.lineage in self.former.split()

    def after(self, recorded: "Owner | None") -> "Owner":
        """Return it as it is recorded where `recorded` was the owner before."""
        if recorded is None or not recorded.of_another_state(self):
            return replace(self, former=recorded.former if recorded else "")
        former = [word for word in (*recorded.former.split(), recorded.lineage) if word != self.lineage]
        return replace(self, former=" ".join(former[-_FORMER:]))


@dataclass(frozen=True)
class Machine:
    """Which machine a host is. `id`: a digest of its machine-id(5), "" where it has none. `keys`: fingerprints of its
    SSH host keys."""

    id: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ledger:
    """What was found on a host.

    `owners`: by record name. `priors`: record names whose prior state is kept. `armed`: changes that nobody has
    confirmed yet, each by the run that made it (`Guard`).
    """

    machine: Machine
    owners: Mapping[str, Owner]
    priors: frozenset[str]
    armed: frozenset[str] = frozenset()

    def owner(self, title: str) -> Owner | None:
        """Return who manages the resource `title`."""
        return self.owners.get(record_name(title))

    def has(self, title: str) -> bool:
        """Tell whether anything is recorded of the resource `title`."""
        return record_name(title) in self.owners or record_name(title) in self.priors

    def unsettled(self, run: str) -> bool:
        """Tell whether another run than `run` has changed what may yet go back."""
        return any(run not in name.split(".") for name in self.armed)


LEDGER = Script("read the record on the host", script("hosts/guard/ledger.sh"), timeout=30)


def ledger(answer: Answer) -> Ledger:
    """Read what `LEDGER` printed; what is no record of ours is left out."""
    part = answer.sections
    owners = {}
    for line in part["owners"].splitlines():
        name, _, text = line.partition(" ")
        owner = _owner(text)
        if owner is not None:
            owners[name] = owner
    identity = part["id"].strip()
    digest = hashlib.sha256(to_bytes(f"stockade {identity}")).hexdigest()[:16]
    keys = (fingerprint(line) for line in part["keys"].splitlines())
    machine = Machine(digest if identity else "", tuple(sorted(key for key in keys if key)))
    return Ledger(machine, owners, frozenset(part["priors"].split()), frozenset(part["armed"].split()))


def read_ledger(host: "Host", resource: str) -> Ledger:
    """Look at what is recorded on `host`. Raises any HostError."""
    answer = host.read(LEDGER, resource=resource)
    with understanding(host.name, resource, LEDGER.step):
        return ledger(answer)


def fingerprint(line: str) -> str:
    """Return the fingerprint (`SHA256:...`, as ssh-keygen -l prints it) of a public key line; "" where it is none."""
    words = line.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError):
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")


_FIELDS = ("claim", "project", "stack", "resource", "run", "machine")
_LATER_FIELDS = ("lineage", "since", "former")  # records of earlier versions lack them


def _owner(text: str) -> Owner | None:
    try:
        found = json.loads(text)
        return Owner(*(str(found[name]) for name in _FIELDS), *(str(found.get(name, "")) for name in _LATER_FIELDS))
    except (ValueError, KeyError, TypeError):
        return None


_RECORD = "record"


def unchanged(title: str, expected: Owner | None) -> Script:
    """Fail with `CHANGED` where the record of `title` names another owner than `expected`."""
    return Script("check the owner", script("hosts/guard/owned.sh"), _values(title, expected), exits=_EXITS)


def remember(title: str, observe: Script, expected: Owner | None = None, claim: Owner | None = None) -> Script:
    """Print the record of what `observe` printed before the first change; on the first run, that is now (`replayed`).

    `expected`: the owner on record. `claim`: who becomes it.
    """
    own = {**_values(title, expected, claim), "record_observe": observe.body, "record_mark": random.token_hex(16)}
    return replace(
        observe,
        step="remember the prior state",
        body=script("hosts/guard/remember.sh"),
        values={**observe.values, **own},
        exits={**observe.exits, **_EXITS},
    )


def unremember(remembering: Script) -> Script:
    """Drop what this `remember`, which failed or was killed, may have left; a record that was there before stays."""
    values = {name: remembering.values[name] for name in ("record_name", "record_mark", "owner_line")}
    return Script("drop a record that was not finished", script("hosts/guard/unremember.sh"), values)


def facts_of(answer: Answer) -> str:
    """Return the JSON in the answer of `remember` where the record was written back (`written_back`); else ""."""
    text = answer.sections[_RECORD]
    return text.removeprefix(FACTS) if text.startswith(FACTS) else ""


def replayed(answer: Answer) -> Answer:
    """Return what `observe` printed back then from the answer of `remember`. Raises ValueError where it is damaged."""
    text = to_bytes(answer.sections[_RECORD])
    mark, _, stream = text.partition(b"\n")
    if not re.fullmatch(rb"[0-9a-f]{32}", mark):
        raise ValueError("a record without a mark")
    return replay(mark.decode("ascii"), stream)


def claimed(title: str, expected: Owner | None, owner: Owner) -> Script:
    """Make `owner` the one on record."""
    return Script("record the owner", script("hosts/guard/claim.sh"), _values(title, expected, owner), exits=_EXITS)


def written_back(title: str, owner: Owner, facts: str) -> Script:
    """Record `owner` and the prior state, as the state knows it, where somebody has removed the record."""
    values = {**_values(title, None, owner), "record_facts": FACTS + facts}
    return Script("restore the record", script("hosts/guard/write_back.sh"), values, exits=_EXITS)


_EXITS = {CHANGED: "another run has changed this host's record in the meantime; nothing was changed, try again"}


def forget(title: str) -> Script:
    """Drop the record: the prior state is in force again."""
    return Script("forget the prior state", script("hosts/guard/forget.sh"), {"record_name": record_name(title)})


def forget_after(restore: Script, title: str) -> Script:
    """Let `restore`, once it has come to its end, drop the record as well; it may `exit 0` before its last line."""
    values = {**restore.values, "record_name": record_name(title)}
    return replace(restore, body=f"(\n{restore.body}\n)\n{script('hosts/guard/forget.sh')}", values=values)


def record_name(title: str) -> str:
    """Return a file name that no other title has: users `a.b` and `a-b` are two."""
    return re.sub(r"[^a-z0-9 ]", lambda one: f"_{ord(one[0]):x}_", title).replace(" ", "-")


def _values(title: str, expected: Owner | None, claim: Owner | None = None) -> dict[str, str]:
    return {
        "record_name": record_name(title),
        "owner_expected": expected.text() if expected else "",
        "owner_line": claim.text() if claim else "",
    }

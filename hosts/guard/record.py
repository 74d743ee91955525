"""What Stockade records on a host: the owner of each of its resources, and the prior state.

The state file has the prior state too. But if a run is killed before the state is written, a repeated run would take
its own half-done work for the prior state. A host may also move to another resource (renamed, replaced, moved to
another stack): the record moves with it, and the former owner no longer undoes anything.

    /var/lib/stockade/prior/TITLE    output of `observe` before the first change; removed by `delete`. Its first line is
                                     the marker between its sections, random for each record. If somebody removed the
                                     record: the facts from the state instead, as `FACTS` and a line of JSON
    /var/lib/stockade/owner/TITLE    the owner, one line of JSON (`Owner`); removed by `delete`
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
"""The environment variable with the token of the current run. Without it, the process is a run of its own."""
_FORMER = 8
FACTS = "facts "
"""The prefix of a prior-state record that was written back from a state."""
CHANGED = 76
"""Exit status: the record has changed since it was read; nothing was changed."""


@dataclass(frozen=True)
class Owner:
    """The owner of one resource on a host.

    `claim`: a random word that is also in the owner's state. Project, stack and resource name are for people, and for a
    state that lost its claim. `run`: the token of the run that recorded the owner. `machine`: where that happened
    (`Machine.id`); a copied disk carries the record of another machine. `lineage`: a random word shared by the owner's
    whole state and its backups; it differs between states of one stack. `since`: when it became the owner. `former`:
    the lineages it was taken over from.
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
        """Return the line that is stored on the host."""
        words = asdict(self)
        return json.dumps({name: words[name] for name in words if words[name] or name in _FIELDS}, sort_keys=True)

    def named_as(self, other: "Owner") -> bool:
        """Return whether both are the same resource of the same stack, regardless of their claims."""
        names = (self.project, self.stack, self.resource)
        return names == (other.project, other.stack, other.resource)

    def same_as(self, other: "Owner") -> bool:
        """Return whether both are the same owner, regardless of which run recorded it."""
        return self.claim == other.claim and self.lineage == other.lineage and self.named_as(other)

    def of_another_state(self, other: "Owner") -> bool:
        """Return whether both belong to one stack but to different states: of a second checkout, or of a lost state."""
        one, two = (self.project, self.stack), (other.project, other.stack)
        return bool(self.lineage and other.lineage) and self.lineage != other.lineage and one == two

    def of_same_state(self, other: "Owner") -> bool:
        """Return whether both are certainly of one state, or of a backup of it."""
        one, two = (self.project, self.stack), (other.project, other.stack)
        return bool(self.lineage) and self.lineage == other.lineage and one == two

    def took_over_from(self, other: "Owner") -> bool:
        """Return whether this owner's state took the resource over from the state of `other`, in the same stack."""
        return self.of_another_state(other) and other.lineage in self.former.split()

    def after(self, recorded: "Owner | None") -> "Owner":
        """Return this owner as recorded when `recorded` was the previous one."""
        if recorded is None or not recorded.of_another_state(self):
            return replace(self, former=recorded.former if recorded else "")
        former = [word for word in (*recorded.former.split(), recorded.lineage) if word != self.lineage]
        return replace(self, former=" ".join(former[-_FORMER:]))


@dataclass(frozen=True)
class Machine:
    """The identity of a host's machine. `id`: a digest of its machine-id(5), "" if it has none. `keys`: fingerprints of
    its SSH host keys."""

    id: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ledger:
    """The records found on a host.

    `owners`: by record name. `priors`: record names with a prior state. `armed`: unconfirmed changes, each with the run
    that made it (`Guard`).
    """

    machine: Machine
    owners: Mapping[str, Owner]
    priors: frozenset[str]
    armed: frozenset[str] = frozenset()

    def owner(self, title: str) -> Owner | None:
        """Return the owner of the resource `title`."""
        return self.owners.get(record_name(title))

    def has(self, title: str) -> bool:
        """Return whether there is any record of the resource `title`."""
        return record_name(title) in self.owners or record_name(title) in self.priors

    def unsettled(self, run: str) -> bool:
        """Return whether a run other than `run` has a change that may still roll back."""
        return any(run not in name.split(".") for name in self.armed)


LEDGER = Script("read the record on the host", script("hosts/guard/ledger.sh"), timeout=30)


def ledger(answer: Answer) -> Ledger:
    """Parse the output of `LEDGER`. Anything that is not a valid record is ignored."""
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
    """Read the records on `host`. Raises any HostError."""
    answer = host.read(LEDGER, resource=resource)
    with understanding(host.name, resource, LEDGER.step):
        return ledger(answer)


def fingerprint(line: str) -> str:
    """Return the fingerprint (`SHA256:...`, as in ssh-keygen -l) of a public key line; "" if it is not one."""
    words = line.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError):
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")


_FIELDS = ("claim", "project", "stack", "resource", "run", "machine")
_LATER_FIELDS = ("lineage", "since", "former")  # missing in records of earlier versions


def _owner(text: str) -> Owner | None:
    try:
        found = json.loads(text)
        return Owner(*(str(found[name]) for name in _FIELDS), *(str(found.get(name, "")) for name in _LATER_FIELDS))
    except (ValueError, KeyError, TypeError):
        return None


_RECORD = "record"


def unchanged(title: str, expected: Owner | None) -> Script:
    """Exit with `CHANGED` if the record of `title` names another owner than `expected`."""
    return Script("check the owner", script("hosts/guard/owned.sh"), _values(title, expected), exits=_EXITS)


def remember(title: str, observe: Script, expected: Owner | None = None, claim: Owner | None = None) -> Script:
    """Print the recorded output of `observe` from before the first change; the first run records it now (`replayed`).

    `expected`: the recorded owner. `claim`: the owner to record.
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
    """Drop what this `remember`, which failed or was killed, may have left. An older record stays."""
    values = {name: remembering.values[name] for name in ("record_name", "record_mark", "owner_line")}
    return Script("drop a record that was not finished", script("hosts/guard/unremember.sh"), values)


def facts_of(answer: Answer) -> str:
    """Return the JSON in the output of `remember` if the record was written back (`written_back`); else ""."""
    text = answer.sections[_RECORD]
    return text.removeprefix(FACTS) if text.startswith(FACTS) else ""


def replayed(answer: Answer) -> Answer:
    """Return the original output of `observe` from the output of `remember`. Raises ValueError if it is damaged."""
    text = to_bytes(answer.sections[_RECORD])
    mark, _, stream = text.partition(b"\n")
    if not re.fullmatch(rb"[0-9a-f]{32}", mark):
        raise ValueError("a record without a mark")
    return replay(mark.decode("ascii"), stream)


def claimed(title: str, expected: Owner | None, owner: Owner) -> Script:
    """Record `owner` as the owner."""
    return Script("record the owner", script("hosts/guard/claim.sh"), _values(title, expected, owner), exits=_EXITS)


def written_back(title: str, owner: Owner, facts: str) -> Script:
    """Record `owner` and the prior state from the Pulumi state, after somebody removed the record."""
    values = {**_values(title, None, owner), "record_facts": FACTS + facts}
    return Script("restore the record", script("hosts/guard/write_back.sh"), values, exits=_EXITS)


_EXITS = {CHANGED: "another run has changed this host's record in the meantime; nothing was changed, try again"}


def forget(title: str) -> Script:
    """Drop the record: the prior state is in force again."""
    return Script("forget the prior state", script("hosts/guard/forget.sh"), {"record_name": record_name(title)})


def forget_after(restore: Script, title: str) -> Script:
    """Run `restore` and, once it succeeds, drop the record as well. It may `exit 0` before its last line."""
    values = {**restore.values, "record_name": record_name(title)}
    return replace(restore, body=f"(\n{restore.body}\n)\n{script('hosts/guard/forget.sh')}", values=values)


def record_name(title: str) -> str:
    """Return a file name that is unique to this title: users `a.b` and `a-b` differ."""
    return re.sub(r"[^a-z0-9 ]", lambda one: f"_{ord(one[0]):x}_", title).replace(" ", "-")


def _values(title: str, expected: Owner | None, claim: Owner | None = None) -> dict[str, str]:
    return {
        "record_name": record_name(title),
        "owner_expected": expected.text() if expected else "",
        "owner_line": claim.text() if claim else "",
    }

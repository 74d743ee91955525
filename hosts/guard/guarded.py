"""A change that rolls back by itself unless somebody proves that a login still works.

`hold` takes the host for this run and settles what a dead run left behind. `armed` wraps a change in a script that
first saves what is in force and arms the rollback: a systemd timer, or a detached process without systemd. The caller
then confirms over a new connection and sends `committed`, which makes the change survive a reboot and disarms it, or
`given_up`, which rolls back at once. If neither arrives in time, the host rolls back on its own. After a reboot in
between, a unit that runs before sshd rolls back too. The scripts are in this directory; what they install is in
`hosts/guard/installed`.

On the host: /var/lib/stockade/guard/NAME/ while a change is armed (`hosts/guard/arm.sh` lists its contents),
/var/lib/stockade/guard.log (and the journal) for rollbacks, /run/stockade for the run that holds the host.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hosts.guard.record import record_name
from hosts.scripts import script as script_file
from hosts.scripts import source
from hosts.shell import Answer, Script, assigned
from hosts.system.files import FILE_EXITS

HELD = 78
"""Exit status: another run holds the host."""
GONE_BACK = 79
"""Exit status of `committed`, and of a further step: the host has already rolled back."""
NOT_BACK = 80
"""Exit status of `given_up`: the rollback failed."""
UNSAVED = 81
"""Exit status of an armed script: what is in force could not be saved."""
ROOM = 262_144
"""Bytes reserved for the rollback in case the disk fills up meanwhile."""
FOLDER = "/var/lib/stockade/guard"
LOG = f"{FOLDER}.log"
LIMIT = 30
"""Seconds within which a change must be confirmed."""
BACK_TIME = 60
"""Maximum seconds for the rollback itself, on top of that."""
_LATE = "the change was not confirmed in time, so the host has reverted it by itself"


@dataclass(frozen=True)
class Guard:
    """How to roll back one change.

    `save`: sh that stores what is in force in the directory `$guard`. `back`: sh that restores it from there; it runs
    on the host without a connection, as a separate script with `set -eu`, and may be run twice. `$occasion` is `timer`,
    `settle`, `now` or `boot`. `commit`: sh that makes the change survive a reboot; it may be run twice, and only its
    last step takes effect, so that there is nothing to roll back if an earlier step fails. `values`: variables of all
    three, none of them secret. `limit`: seconds until the host rolls back.
    """

    save: str
    back: str
    commit: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    limit: int = LIMIT


@dataclass(frozen=True)
class RunIdentity:
    """The run that changes hosts: a random `token`, and the `name` shown to others."""

    token: str
    name: str


def hold(run: RunIdentity) -> Script:
    """Hold the host for this run, and settle what a dead run left armed. Fails with the name of the current holder."""
    exits = {HELD: "another run is changing this host; wait until it ends, then run this again. It is"}
    return Script("take the host", script_file("hosts/guard/hold.sh"), _values("", run, run_name=run.name), exits=exits)


def armed(script: Script, guard: Guard, title: str, run: RunIdentity, *, continued: bool = False) -> Script:
    """Let `script` save, arm and then change, at the point where its body calls `arm`. Code before that is unguarded.

    With `continued`, it is the next step of a change that is armed and unconfirmed: a rollback undoes both.
    """
    values = {
        **guard.values,
        **script.values,
        **_values(title, run),
        "guard_save": guard.save,
        "guard_back": assigned({"title": title, "name": f"{_name(title)}.{run.token}"})
        + script_file("hosts/guard/installed/back.sh"),
        "guard_restore": f"{assigned(guard.values)}set -eu\n{guard.back}\n",
        "guard_limit": str(guard.limit),
        "guard_record": record_name(title),
        "guard_further": "yes" if continued else "",
    }
    unsaved = f"the settings in force could not be saved under {FOLDER}, so nothing was changed; is the disk full?"
    exits = {UNSAVED: unsaved, GONE_BACK: _LATE, **script.exits}
    return replace(script, values=values, exits=exits, body=script_file("hosts/guard/arm.sh") + script.body)


def unguarded(script: Script) -> Script:
    """Run without a guard a script that could be armed, because its change cannot cut off the login."""
    return replace(script, body=f"arm() {{ :; }}\n{script.body}")


def arms(script: Script) -> bool:
    """Return whether a script calls `arm`."""
    return "\narm\n" in script.body


def is_armed(answer: Answer) -> bool:
    """Return whether a script that could arm did so. It need not if there was nothing to change."""
    return "armed" in answer.sections


def committed(guard: Guard, title: str, run: RunIdentity) -> Script:
    """Make the change survive a reboot, and disarm. `GONE_BACK` if the host rolled back first. Safe to repeat."""
    values = {**guard.values, **_values(title, run, guard_commit=guard.commit or ":")}
    exits = {**FILE_EXITS, GONE_BACK: _LATE}
    return Script("keep the change", script_file("hosts/guard/commit.sh"), values, exits=exits)


def given_up(title: str, run: RunIdentity) -> Script:
    """Roll back at once; if the host is already doing so, wait for it. Prints the log entry of the rollback."""
    exits = {NOT_BACK: f"the host could not restore the previous settings; see {LOG} there"}
    body = script_file("hosts/guard/give_up.sh")
    return Script("revert the change", body, _values(title, run), exits=exits, timeout=BACK_TIME)


def boot_programs() -> dict[str, str]:
    """Return, as values for `hosts/guard/guards.sh`, the programs that roll back at boot for each kind of init."""
    kinds = {"unit": "boot.service", "red_hat": "boot_red_hat.sh", "debian": "boot_debian.sh"}
    return {f"guard_boot_{kind}": source(f"hosts/guard/installed/{name}") for kind, name in kinds.items()}


def _values(title: str, run: RunIdentity, **more: str) -> dict[str, str]:
    return {"guard_name": _name(title), "run": run.token, **boot_programs(), **more}


def _name(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower())

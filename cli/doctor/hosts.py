"""The hosts of a stack: can each be reached, how, and is it as a run expects it. Nothing is changed there.

One connection for each host, with the login that a run would use: every refused login counts for fail2ban.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from cli.doctor.findings import About, Finding, Subject
from components.failure import Failure
from hosts.errors import HostError, LoginRefused, Unreachable, understanding
from hosts.guard.record import LEDGER, Ledger, ledger
from hosts.host import Host
from hosts.pool import Pool
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.ssh.connection import Connection, HostAccess
from hosts.ssh.hostkeys import key_line, trust_of
from hosts.system.distro import SUPPORTED
from hosts.text.masking import one_line, shortened
from hosts.waiting import at_most

AT_ONCE = 16
"""The most hosts to look at in parallel."""
PATIENCE = 10.0
"""Seconds to wait for a host: a run waits longer, because a host may be booting."""
_ASKED = 2
"""How many times that one host may take with everything: it is connected to, and asked."""
_SKEW = 60
_LEAST_SPACE = 50_000
_LONGEST = 600
_LOOK = Script("look at the host", script("cli/doctor/host.sh"), timeout=30)


@dataclass(frozen=True)
class Checkup:
    """What to look at, and how long to wait for it.

    `owner`: the project and the stack that run here; records of others are reported. `unknown_secrets`: the config's
    secrets could not be decrypted, so hosts whose login needs one are not checked.
    """

    access: Sequence[HostAccess]
    owner: tuple[str, str]
    unknown_secrets: bool = False
    patience: float = PATIENCE
    told: Callable[[str], None] = field(default=lambda _: None)


def hosts(checkup: Checkup) -> Iterator[Finding]:
    """Yield what was found, host by host. A host that cannot be read stops no other."""
    pool = Pool()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for access, findings in zip(
            checkup.access, threads.map(partial(_safely, pool, checkup), checkup.access), strict=True
        ):
            checkup.told(access.name)
            yield from findings
    pool.close()


def _safely(pool: Pool, checkup: Checkup, access: HostAccess) -> list[Finding]:
    subject, found = Subject(About.HOST, access.name), list[Finding]()
    if checkup.unknown_secrets and access.secrets():
        return [subject.warning("not checked: its login needs a secret that cannot be decrypted here")]
    try:
        with at_most(_ASKED * checkup.patience):
            for finding in _host(pool.host(_hurried(access, checkup.patience)), subject, checkup.owner):
                found.append(finding)
    except HostError as error:
        message = shortened(error.message, _LONGEST)
        step = f"{error.step}: " if error.step else ""
        found.append(
            subject.error(
                step + message, shortened("\n".join(filter(None, (remedy(error, access), error.hint))), _LONGEST)
            )
        )
    except (Failure, OSError, ValueError) as error:
        found.append(subject.error(shortened(str(error), _LONGEST).removeprefix(f"{access.name}: ")))
    return found


def _hurried(access: HostAccess, patience: float) -> HostAccess:
    """The same host, for which one waits no longer than `patience` seconds."""
    patience = min(patience, access.patience)

    def hurried(login: Connection | None) -> Connection | None:
        if login is None:
            return None
        limit = {"per_dial_timeout": min(login.per_dial_timeout, patience), "proxy": hurried(login.proxy)}
        return login.model_copy(update=limit)

    logins = {"admin": hurried(access.admin), "bootstrap": hurried(access.bootstrap)}
    return access.model_copy(update={**logins, "connect_timeout": patience})


def remedy(error: HostError, access: HostAccess) -> str:
    """What to do about an error, if it does not say it itself; "" if it does."""
    (_, login), *_ = access.logins()
    if isinstance(error, LoginRefused):
        command = f"ssh -p {login.port} {login.user}@{login.host}"
        return f"Try it: {command}. The public key must be in that user's authorized_keys."
    if not isinstance(error, Unreachable):
        return ""
    cause = error.cause.lower()
    if "host name" in cause:
        return "Correct the host's `address`, or the name server that this machine asks."
    if "refused" in cause:
        return (
            f"Nothing accepts connections at port {login.port}: is the port right (`port`), does sshd run? "
            "See the console of the machine's provider."
        )
    return (
        "Is the host up, is its address right, and do all firewalls between accept connections from here? See the "
        "console of the machine's provider."
    )


def _host(host: Host, subject: Subject, owner: tuple[str, str]) -> Iterator[Finding]:
    host.connect()
    connection = host.entered()  # switches to the other login if this one cannot become root
    yield from _login(host, subject, connection)
    begun = time.time()
    look, record = host.run(_LOOK, LEDGER)
    took = time.time() - begun
    with understanding(host.name, "", _LOOK.step):
        yield from _system(look, subject)
        yield from _clock(look, subject, begun, took)
        yield from _space(look, subject)
    with understanding(host.name, "", LEDGER.step):
        known = ledger(record)
    yield from _record(known, subject, owner)
    if host.login == "bootstrap" and host.access.admin is not None and known.owners:
        yield subject.warning(
            f"the admin {host.access.admin.user} cannot log in or become root, although the host is hardened",
            "Correct `admin` (user, key, sudoPassword), or run `stockade up --refresh`: it sets the account up again.",
        )


def _login(host: Host, subject: Subject, connection: Connection) -> Iterator[Finding]:
    root = "is root" if connection.user == "root" else "becomes root with sudo"
    pinned = connection.host_key is not None
    key = "host key pinned" if pinned else "host key as in known_hosts"
    yield subject.ok(f"{host.login} {connection.address} logs in and {root}; {key}")
    if not pinned and (keys := trust_of(connection).keys):
        yield subject.ok(f"to do without this machine's known_hosts, pin the key: `hostKey: {key_line(keys[0])}`")
    if host.outdated:
        yield subject.warning(f"the host refused {host.outdated}; earlier ones work", "Correct the config.")
    if host.login == "bootstrap" and host.access.admin is not None:
        yield subject.ok(f"the admin {host.access.admin.user} cannot log in yet: the first `up` sees to that")


def _system(look: Answer, subject: Subject) -> Iterator[Finding]:
    distro, version, family = (one_line(line)[:40] for line in look.sections["system"].split("\n")[:3])
    if family in SUPPORTED:
        yield subject.ok(f"{distro} {version}".strip() + " is supported")
    else:
        supported = "; ".join(SUPPORTED.values())
        yield subject.error(f"{distro} {version}".strip() + " is not supported", f"Supported are {supported}.")


def _clock(look: Answer, subject: Subject, begun: float, took: float) -> Iterator[Finding]:
    ahead = int(look.sections["clock"]) - begun
    if not -_SKEW <= ahead <= took + _SKEW:
        text = f"its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
        yield subject.warning(text, "Set the clock that is wrong; `timeSync: {}` in the config keeps the host's right.")


def _space(look: Answer, subject: Subject) -> Iterator[Finding]:
    free = int(look.sections["space"].split()[3])
    if free < _LEAST_SPACE:
        yield subject.error(f"only {free} KiB are free in /var/lib", "Free some space: runs keep records there.")


def _record(known: Ledger, subject: Subject, owner: tuple[str, str]) -> Iterator[Finding]:
    owners = {(one.project, one.stack) for one in known.owners.values()}
    for project, stack in sorted(owners - {owner}):
        yield subject.warning(
            f"the stack {one_line(stack)[:60]} of the project {one_line(project)[:60]} manages it",
            "Destroy it there, or let this one have it: `existing: takeOver` (docs/hosts.md).",
        )
    if owner in owners:
        count = sum((one.project, one.stack) == owner for one in known.owners.values())
        yield subject.ok(f"managed by this stack: {count} resource{'' if count == 1 else 's'}")
    elif not owners:
        yield subject.ok("no stack manages it yet")
    if known.armed:
        yield subject.warning(
            "a change is not confirmed yet: a run is in progress, or was killed",
            "Let the run end. If there is none, the host rolls the change back by itself; the next `up` finishes it.",
        )

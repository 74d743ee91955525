"""`stockade adopt`: reads hosts, writes a stack config and shows its preview. Changes nothing on a host."""

import datetime
import getpass
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from adopt.harden import Operator, hardened
from adopt.inventory import Listed, read_inventory
from adopt.login import SUDO_PASSWORD, HostKey, entered
from adopt.output import Done, patch, policies, preview, say, write
from adopt.reading import Reading, read
from adopt.target import Target, in_any_folder, read_target, with_login
from adopt.written import Adopted, files
from components.config.names import host_name, shown
from components.failure import Failure
from components.keys.public import public_keys
from hosts.errors import HostError
from hosts.pool import connection_pool
from hosts.text.masking import printable
from hosts.waiting import at_most
from local.engine.state.backend import write_atomically

_STACK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_FEW = 4
"""Up to this many hosts, each step of reading is said."""
LONGEST = 300.0
"""Seconds for reading one host."""
AT_ONCE = 16
"""The most hosts that are read in parallel."""


@dataclass
class Answers:
    """What the user is asked, or has said in advance.

    `fingerprints`: host keys to accept (`SHA256:...`).
    """

    fingerprints: frozenset[str] = frozenset()
    interactive: bool = field(default_factory=lambda: sys.stdin.isatty() and sys.stderr.isatty())
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def confirm(self, target: Target, key: HostKey) -> bool:
        """Return whether a key that no file lists is the host's."""
        if key.fingerprint.split()[-1] in self.fingerprints:
            return True
        if not self.interactive:
            return False
        with self._turn:
            say(f"{target.words} presents the host key {key.fingerprint}")
            say("  Compare it with what the console prints: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
            return input("  Is it the same? [y/N] ").strip().lower() in ("y", "yes")

    def sudo_password(self, target: Target) -> str:
        """Return the password that sudo asks for on a host; "" if nobody can say."""
        given = os.environ.get(SUDO_PASSWORD, "")
        if given or not self.interactive:
            return given
        with self._turn:
            return getpass.getpass(f"{target.words}: password for sudo: ")


def adopt(targets: Sequence[Target], answers: Answers, stack: str = "") -> tuple[list[Adopted], list[str]]:
    """Read all hosts; those that could not be read are returned as sentences."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda target: _one(target, answers, stack, few=len(targets) <= _FEW), targets))
    found = [one for one in results if isinstance(one, Adopted)]
    results += _twice(found)
    return _named(found), [one for one in results if isinstance(one, str)]


def _one(target: Target, answers: Answers, stack: str, *, few: bool) -> Adopted | str:
    try:
        host, key = entered(target, answers.confirm, answers.sudo_password)
        with at_most(LONGEST):
            reading = read(host, lambda step: say(f"{target.words}: reads {step}") if few else None, stack)
        login = target.login
        used = host.access.logins()[0][1]
        needs_password = used.sudo_password is not None
    except (HostError, Failure, ValueError) as error:
        why = str(error) if str(error).startswith(target.words) else f"{target.words}: {error}"
        say(why)
        return why
    say(f"{target.words}: {_summary(reading)}")
    return Adopted(target.name, login, key.line, reading, sudo=needs_password)


def _twice(found: list[Adopted]) -> list[str]:
    """Take out machines that were read before, by another address or as a copy; return them as sentences."""
    first: dict[str, Adopted] = {}
    said = []
    for one in found:
        other = first.setdefault(one.host_key, one)
        if other is not one and other.reading.survey.boot == one.reading.survey.boot:
            said.append(f"{one.login.address}: the same machine as {other.login.address}")
        elif other is not one:
            why = "it is a copy of it; give it keys of its own (rm /etc/ssh/ssh_host_*; ssh-keygen -A)"
            said.append(f"{one.login.address}: it has the host key of {other.login.address}: {why}")
    found[:] = first.values()
    for line in said:
        say(line)
    return said


def _summary(reading: Reading) -> str:
    taken = f"taken over: {', '.join(reading.settings) or 'nothing'}"
    return taken + (
        f"; not: {', '.join(line.partition(':')[0] for line in reading.left_out)}" if reading.left_out else ""
    )


def _named(found: Sequence[Adopted]) -> list[Adopted]:
    """Give every host a name of its own: the one that the user gave, or the host's."""
    names: set[str] = set()
    out = []
    for one in found:
        name = one.name or _own_name(one)
        unique = next(word for word in (name, *(f"{name}-{number}" for number in range(2, 1000))) if word not in names)
        names.add(unique)
        out.append(replace(one, name=unique))
    return out


def _own_name(one: Adopted) -> str:
    try:
        return host_name(one.reading.survey.name.partition(".")[0])
    except ValueError:
        return "host-" + "".join(char if char.isalnum() else "-" for char in one.login.host).strip("-")


def main(
    hosts: Sequence[str],
    stack: str,
    project: Callable[[], Path],
    *,
    identities: Sequence[str] = (),
    host_keys: Sequence[str] = (),
    shows_preview: bool = True,
    hardens: bool = False,
    inventory: Path | None = None,
    as_json: bool = False,
) -> int:
    """Run the command; the exit status is 1 if a host could not be read, or nothing could be written.

    `project`: returns the folder of the project, which it makes if there is none; called once a host was read.
    `as_json`: print the result on standard output, for programs.
    """
    try:
        valid_stack(stack)
        listed = read_inventory(inventory) if inventory else Listed()
        named = [*map(read_target, hosts), *listed.targets]
        targets = [with_login(one, private_key_file=[*identities]) for one in named]
    except (Failure, ValueError) as error:
        say(f"error: {error}")
        return 2
    for fault in listed.faults:
        say(fault)
    answers, operator = Answers(frozenset(host_keys)), operator_of(identities) if hardens else None
    shown = sys.stderr if as_json else None
    done = run(
        targets,
        answers,
        stack,
        project,
        shows_preview=shows_preview,
        operator=operator,
        unread=listed.faults,
        shown=shown,
    )
    if as_json:
        print(json.dumps(done.as_json(), indent=2), flush=True)
    return done.status


def run(
    targets: Sequence[Target],
    answers: Answers,
    stack: str,
    project: Callable[[], Path],
    *,
    shows_preview: bool = True,
    operator: Operator | None = None,
    unread: Sequence[str] = (),
    shown: TextIO | None = None,
) -> Done:
    """Read hosts, write the stack's files, and show the preview; with `operator`, also what hardening would change.

    `unread`: what is known already not to be readable. `shown`: where preview and patch are shown, instead of on
    standard output.
    """
    found, failed = adopt(targets, answers, stack)
    done = Done(stack=stack, hosts=found, unread=[*unread, *failed])
    connection_pool().close()
    if not found:
        return _failed(done, "no host could be read, so nothing is written")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    folder, (name, text) = project(), policies(stack)
    try:
        texts = files(stack, found, today, done.unread)
        write(stack, {**texts, **({} if (folder / name).exists() else {name: text})}, folder)
    except (Failure, OSError) as error:
        return _failed(done, str(error))
    done.written = [*texts]
    say(f"written: {', '.join(texts)}")
    status = preview(stack, folder, shown) if shows_preview else 0
    if operator is not None:
        after = files(stack, [hardened(one, operator) for one in found], today, done.unread)
        path, text = f"stacks/harden.{stack}.patch", patch(texts, after)
        write_atomically(folder / path, text)
        print(printable(text), end="", file=shown, flush=True)
        done.written = [*texts, path]
        say(f"written: {path}: what the guide would change, with reasons. First `stockade up --stack {stack}`, then:")
        say(f"  git apply {path} && stockade preview --stack {stack} --diff")
    if done.unread:
        say(f"{len(done.unread)} of {len(targets) + len(unread)} hosts could not be read; the file says why")
    done.status = status or (1 if done.unread else 0)
    return done


def _failed(done: Done, error: str) -> Done:
    say(f"error: {error}")
    done.error = error
    return done


def valid_stack(stack: str) -> None:
    """Raise Failure if a stack cannot have this name."""
    if not _STACK.fullmatch(stack):
        raise Failure(f"--stack {shown(stack)}: a name of letters, digits and _ . - is needed")


def operator_of(identities: Sequence[str]) -> Operator:
    """Return whose key a new admin gets: that of the first private key file which has its public half beside it."""
    for file in (*identities, *(f"~/.ssh/id_{kind}" for kind in ("ed25519", "ecdsa", "rsa"))):
        public = Path(f"{file}.pub").expanduser()
        if public.is_file():
            return Operator(public_keys(files=[str(public)]), in_any_folder(file) if file in identities else "")
    return Operator()

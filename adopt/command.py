"""`stockade adopt`: reads hosts, writes a stack config and shows its preview. Changes nothing on a host."""

import datetime
import difflib
import getpass
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from adopt.harden import Operator, hardened
from adopt.inventory import read_inventory
from adopt.login import HostKey, entered
from adopt.reading import Reading, read
from adopt.target import Target, in_any_folder, read_target, with_login
from adopt.written import Adopted, files
from components.config.names import host_name, shown
from components.failure import Failure
from components.keys.public import public_keys
from hosts.errors import HostError
from hosts.pool import connection_pool
from hosts.text.masking import printable
from local.engine.state.backend import write_atomically

_STACK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_FEW = 4
"""Up to this many hosts, each step of reading is said."""
AT_ONCE = 16
"""The most hosts that are read in parallel."""
SUDO_PASSWORD = "STOCKADE_SUDO_PASSWORD"  # noqa: S105
"""The environment variable with the sudo password of the logins, where nobody can be asked."""
CHECKOUT = Path(__file__).resolve().parents[1]


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


def say(text: str) -> None:
    """Print a line for people; standard output is kept for programs."""
    print(printable(text), file=sys.stderr, flush=True)


def adopt(targets: Sequence[Target], answers: Answers) -> tuple[list[Adopted], list[str]]:
    """Read all hosts; those that could not be read are returned as sentences."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda target: _one(target, answers, few=len(targets) <= _FEW), targets))
    found = [one for one in results if isinstance(one, Adopted)]
    results += _twice(found)
    return _named(found), [one for one in results if isinstance(one, str)]


def _one(target: Target, answers: Answers, *, few: bool) -> Adopted | str:
    try:
        host, key = entered(target, answers.confirm, answers.sudo_password)
        reading = read(host, lambda step: say(f"{target.words}: reads {step}") if few else None)
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
    """Take out machines that were read before, by another address; return them as sentences."""
    first: dict[str, Adopted] = {}
    for one in found:
        first.setdefault(one.host_key, one)
    again = [one for one in found if first[one.host_key] is not one]
    found[:] = first.values()
    said = [f"{one.login.address}: the same machine as {first[one.host_key].login.address}" for one in again]
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


def write(stack: str, texts: Mapping[str, str], folder: Path) -> None:
    """Write new files. Raises Failure, with the differences, if one exists with another content."""
    changed = {
        name: text for name, text in texts.items() if (folder / name).exists() and (folder / name).read_text() != text
    }
    if changed:
        diffs = "\n".join(_differences(name, (folder / name).read_text(), text) for name, text in changed.items())
        raise Failure(
            f"{', '.join(changed)} exists and differs; nothing is written. "
            f"Choose another --stack, or take over by hand:\n{diffs}"
        )
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, text)


def _differences(name: str, there: str, text: str) -> str:
    lines = difflib.unified_diff(
        there.splitlines(), text.splitlines(), name, "read from the hosts now", lineterm="", n=1
    )
    return "\n".join(lines)


def policies(stack: str) -> tuple[str, str]:
    """Return the policy config of a stack that is not hardened yet: policies report and stop nothing."""
    return f"stacks/policy.{stack}.json", json.dumps({"all": "advisory"}, indent=2) + "\n"


def preview(stack: str, folder: Path) -> int:
    """Show what `up` would do, by the engine that is there."""
    if not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(os.environ):
        say(
            "no preview: PULUMI_CONFIG_PASSPHRASE, which encrypts the stack's secrets, is not set. Set it; then: "
            f"stockade preview --stack {stack}"
        )
        return 0
    command = [sys.executable, "-m", "local", "preview", "--stack", stack, "--cwd", str(folder)]
    return subprocess.call(command, cwd=CHECKOUT)


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
) -> int:
    """Run the command; the exit status is 1 if a host could not be read, or nothing could be written.

    `project`: returns the folder of the project, which it makes if there is none; called once a host was read.
    """
    try:
        valid_stack(stack)
        named = [read_target(words) for words in hosts] + (read_inventory(inventory) if inventory else [])
        targets = [with_login(one, private_key_file=[*identities]) for one in named]
    except Failure as error:
        say(f"error: {error}")
        return 2
    answers, operator = Answers(frozenset(host_keys)), operator_of(identities) if hardens else None
    return run(targets, answers, stack, project, shows_preview=shows_preview, operator=operator)


def run(
    targets: Sequence[Target],
    answers: Answers,
    stack: str,
    project: Callable[[], Path],
    *,
    shows_preview: bool = True,
    operator: Operator | None = None,
) -> int:
    """Read hosts, write the stack's files, and show the preview; with `operator`, also what hardening would change."""
    found, failed = adopt(targets, answers)
    connection_pool().close()
    if not found:
        say("error: no host could be read, so nothing is written")
        return 1
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    folder, (name, text) = project(), policies(stack)
    try:
        texts = files(stack, found, today, failed)
        write(stack, {**texts, **({} if (folder / name).exists() else {name: text})}, folder)
    except (Failure, OSError) as error:
        say(f"error: {error}")
        return 1
    say(f"written: {', '.join(texts)}")
    status = preview(stack, folder) if shows_preview else 0
    if operator is not None:
        patch = _patch(stack, texts, [hardened(one, operator) for one in found], today, folder)
        say(f"written: {patch}: what the guide would change, with reasons. First `stockade up --stack {stack}`, then:")
        say(f"  git apply {patch} && stockade preview --stack {stack} --diff")
    return status or (1 if failed else 0)


def valid_stack(stack: str) -> None:
    """Raise Failure if a stack cannot have this name."""
    if not _STACK.fullmatch(stack):
        raise Failure(f"--stack {shown(stack)}: a name of letters, digits and _ . - is needed")


def _patch(stack: str, before: Mapping[str, str], hosts: Sequence[Adopted], today: str, folder: Path) -> str:
    """Write and print what hardening would change in the files, as a patch."""
    after = files(stack, hosts, today)
    parts = []
    for name in sorted({*before, *after}):
        there, then = before.get(name), after.get(name)
        lines = difflib.unified_diff(
            (there or "").splitlines(keepends=True),
            (then or "").splitlines(keepends=True),
            f"a/{name}" if there is not None else "/dev/null",
            f"b/{name}" if then is not None else "/dev/null",
        )
        parts.append("".join(lines))
    text = "".join(parts)
    path = f"stacks/harden.{stack}.patch"
    write_atomically(folder / path, text)
    print(printable(text), end="", flush=True)
    return path


def operator_of(identities: Sequence[str]) -> Operator:
    """Return whose key a new admin gets: that of the first private key file which has its public half beside it."""
    for file in (*identities, *(f"~/.ssh/id_{kind}" for kind in ("ed25519", "ecdsa", "rsa"))):
        public = Path(f"{file}.pub").expanduser()
        if public.is_file():
            return Operator(public_keys(files=[str(public)]), in_any_folder(file) if file in identities else "")
    return Operator()

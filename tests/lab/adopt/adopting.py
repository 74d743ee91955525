"""What adoption's tests share: prepared hosts, snapshots of them, and the command as a user runs it.

STOCKADE_ADOPT=all takes every prepared host, STOCKADE_ADOPT=ufw,arch these.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from local.lab.api import Lab, LabHost
from tests.lab.adopt.hosts import PREPARED, SHORT, SUDO_PASSWORD, Prepared
from tests.lab.conftest import up_if_to_be_had
from tests.lab.stack import PASSPHRASE, REPOSITORY, Result, Stack

T = TypeVar("T")


def chosen(short: Collection[str]) -> tuple[Prepared, ...]:
    """Return the hosts of this run; `short`: those that are taken unless it says which."""
    wanted = os.environ.get("STOCKADE_ADOPT", "").split(",")
    names = {one.name for one in PREPARED} if "all" in wanted else {*wanted} - {""} or {*short}
    return tuple(one for one in PREPARED if one.name in names)


CHOSEN = chosen(SHORT)
LOOK = (Path(__file__).parent / "snapshot.sh").read_text()
Snapshot = dict[str, list[str]]


def snapshot(host: LabHost) -> Snapshot:
    """Everything that must stay the same on a host, by part."""
    parts = host.exec(LOOK, check=False).stdout.split("## ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2].splitlines() for part in parts}


def changed(before: Snapshot, after: Snapshot) -> list[str]:
    """The difference: removed (-) and new (+) lines."""
    out = []
    for part, lines in before.items():
        out += [f"- {part}: {line}" for line in lines if line not in {*after[part]}]
        out += [f"+ {part}: {line}" for line in after[part] if line not in {*lines}]
        if lines != after[part] and not out:
            out.append(f"{part}: another order")
    return out


def settled(found: Snapshot, *, bans: bool) -> Snapshot:
    """Leave out what installing and removing packages writes anew: times, caches, backups and empty directories of
    /etc, process ids. With `bans`, also the chain that fail2ban makes at its first ban.

    Of iptables' rules, what iptables-save prints is enough: over nftables, it makes empty chains by being asked.
    """
    lines = [line for line in found["files"] if not _UNSETTLED.search(line)]
    files = [" ".join(words[:4] + words[5:]) if (words := line.split(" "))[0] in "dfl" else line for line in lines]
    services = [line for line in found["services"] if not re.fullmatch(r"[\w-]+ \d*", line)]
    own = _IPTABLES.sub("", "\n".join(found["rules"])).splitlines()
    rules = [line for line in own if not (_NO_RULE.fullmatch(line) or (bans and re.search("f2b-|fail2ban-", line)))]
    return {**found, "files": files, "services": services, "rules": rules}


_UNSETTLED = re.compile(
    r"^d .* /etc/| /var/(lib|spool)/| /etc/[^ ]*-( |$)| /root/\.|/ld\.so\.cache|/\.depend\.|__pycache__"
)
_NO_RULE = re.compile(r"|\*\w+|:[A-Z]+ ACCEPT ?|COMMIT")
_IPTABLES = re.compile(r"^table ip6? (filter|nat|mangle|raw|security) \{\n(\t.*\n|\n)*\}", re.M)


@dataclass
class Adopted:
    """Prepared hosts, what they were like, and their stack."""

    hosts: dict[str, LabHost]
    before: dict[str, Snapshot]
    stack: Stack
    sessions: dict[str, "subprocess.Popen[str]"]
    ended: Result

    @property
    def config(self) -> str:
        """The stack config."""
        return (self.stack.folder / f"stacks/Pulumi.{self.stack.name}.yaml").read_text()

    @property
    def rules(self) -> str:
        """All files of rules."""
        return "".join(file.read_text() for file in sorted((self.stack.folder / "stacks/rules").glob("*")))

    def assert_nothing_changed(self) -> None:
        """Fail with what is no longer as it was."""
        after = on_all(self.hosts, snapshot)
        differences = {name: found for name in self.hosts if (found := changed(self.before[name], after[name]))}
        assert differences == {}
        for name, session in self.sessions.items():
            assert session.poll() is None, f"{name}: a session that was open has ended"


def on_all(hosts: dict[str, LabHost], work: Callable[[LabHost], T]) -> dict[str, T]:
    """Do the same on all hosts, a few at a time."""
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(hosts, pool.map(work, hosts.values()), strict=True))


def prepared_hosts(lab: Lab, prefix: str, wanted: Sequence[Prepared] = CHOSEN) -> dict[str, LabHost]:
    """Bring up hosts, and prepare each in its own way."""
    lab.down([f"{prefix}-{one.name}" for one in wanted])
    hosts = {one.name: host for one in wanted if (host := up_if_to_be_had(lab, f"{prefix}-{one.name}", one.variant))}
    scripts = {hosts[one.name].name: one.script for one in wanted if one.name in hosts}
    on_all(hosts, lambda host: host.exec(scripts[host.name], limit=240))
    return hosts


def adopt(stack: Stack, *hosts: tuple[LabHost, Prepared], also: tuple[str, ...] = ()) -> Result:
    """Run `stockade adopt`, as a user would; nobody is there to answer."""
    stack.environment |= {"STOCKADE_SUDO_PASSWORD": SUDO_PASSWORD}
    words = [f"{one.name}={one.user}@{host.ipv4}:{one.port}" for host, one in hosts]
    keys = [word for host, _ in hosts for word in ("--host-key", fingerprint(host))]
    identity = hosts[0][0].key_file
    argv = [*(sys.executable, "-m", "cli", "adopt", *words), "-s", stack.name, "-i", str(identity), *keys, *also]
    return in_checkout(stack, [*argv, "-C", str(stack.folder)])


def in_checkout(stack: Stack, argv: list[str]) -> Result:
    """Run a command of the checkout on the stack's project."""
    environment = {**os.environ, "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE, "NO_COLOR": "1", **stack.environment}
    done = subprocess.run(
        argv,
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Result(done.returncode, done.stdout + done.stderr)


def fingerprint(host: LabHost) -> str:
    """The fingerprint of a host's key, by ssh-keygen."""
    listed = ["ssh-keygen", "-lf", "-"]
    shown = subprocess.run(listed, input=host.host_key, capture_output=True, text=True, check=True).stdout
    return shown.split()[1]


def session(host: LabHost, one: Prepared) -> "subprocess.Popen[str]":
    """Log in and stay."""
    options = ["-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={host.known_hosts}", "-p", str(one.port)]
    argv = [
        "ssh",
        "-F",
        "none",
        "-i",
        str(host.key_file),
        "-o",
        "IdentitiesOnly=yes",
        *options,
        f"{one.user}@{host.ipv4}",
    ]
    session = subprocess.Popen([*argv, "echo in; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert session.stdout is not None
    assert session.stdout.readline() == "in\n", one.name
    return session


def set_passwords(stack: Stack) -> None:
    """Run the commands that the file says are to be run."""
    for line in (stack.folder / f"stacks/Pulumi.{stack.name}.yaml").read_text().splitlines():
        if line.startswith("# TODO: "):
            words = line.removeprefix("# TODO: stockade ").replace("'", "").split()
            argv = [sys.executable, "-m", "cli", *words, SUDO_PASSWORD, "-C", str(stack.folder)]
            done = in_checkout(stack, argv)
            assert done.status == 0, done.output

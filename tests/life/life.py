"""One life: runs of a stack as by a user, the model of their effects, and the checks from outside."""

import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.snapshot import difference, snapshot
from tests.lab.stack import Result, Stack
from tests.life.look import look, make_key
from tests.life.machine import prepare
from tests.life.steps import BY_HAND, CHANGES, STEPS, Step
from tests.life.world import BARE, CHAPTERS, Machine, Wanted, World

T = TypeVar("T")
WORDS = {"embedded": "embedded engine", "pulumi": "Pulumi CLI"}


class StuckError(AssertionError):
    """Neither a refresh nor another `up` helps."""


@dataclass
class Figures:
    """The figures of a life. `successes`: successful runs by command; a look followed each."""

    steps: Counter[str] = field(default_factory=Counter)
    successes: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    looks: int = 0
    facts: int = 0
    findings: list[str] = field(default_factory=list)


@dataclass
class Life:
    """A stack, its three hosts and everything that happens to them with one seed."""

    lab: Lab
    machines: Sequence[LabHost]
    folder: Path
    seed: int
    engine: str = "embedded"
    chapters: Sequence[str] = CHAPTERS
    say: Callable[[str], None] = print
    figures: Figures = field(default_factory=Figures)
    count: int = 0
    over_ipv6: bool = False
    usual: float = 8.0
    """Seconds that an `up` usually takes."""
    backup: dict[str, str] | None = None
    marked: bool = False
    """Whether the next `up` has something to do although nothing else has changed."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.hosts = {host.name: host for host in self.machines}
        names = list(self.hosts)
        wanted = Wanted(firewall=frozenset({8080}), sshd="word", deploy=(0,), guest=1)
        self.world = World(
            {name: Machine(name) for name in names}, dict(zip(("alpha", "beta"), names[:2], strict=True)), wanted
        )
        environment = {"STOCKADE_ENGINE": self.engine, "STOCKADE_POLICIES": "off"}
        self.stack = Stack(self.folder / "project", environment=environment)
        self.before: dict[str, dict[str, list[str]]] = {}
        for number in (0, 1):
            make_key(self.key(number))
        for machine in self.world.machines.values():
            if self.hosts[machine.name].status().boots > 1:
                self.hosts[machine.name].reset()
            self.install(machine)

    # What happens

    def live(self, steps: int) -> None:
        """Take that many random steps, then check that everything ends well."""
        self.up()
        for self.count in range(1, steps + 1):
            kinds = [step for kind in STEPS if (step := kind()).possible(self)]
            step = self.random.choices(kinds, [kind.weight for kind in kinds])[0]
            self.take(step)
        self.note("the end")
        self.settle()
        self.destroy()
        for machine in self.world.free + [self.world.machines[of] for of in self.world.declared.values()]:
            if not machine.bare:
                self.install(machine)

    def take(self, step: Step) -> None:
        """Take one step, usually followed by a run."""
        self.figures.steps[step.title()] += 1
        told = step.do(self)
        self.note(f"{step.title()}: {told}")
        if step.runs and self.random.random() < 0.75 and not self.up(refresh=self.random.random() < 0.4):
            self.settle()

    def settle(self) -> None:
        """Whatever happened, a refresh and an `up` must succeed, at the second attempt at the latest."""
        for _ in range(2):
            refreshed = self.refresh()
            if self.up() and refreshed:
                return
        self.find("stuck", "a refresh and an `up` do not get out of it")
        raise StuckError(self.figures.findings[-1])

    def change_something(self) -> str:
        """Change one thing in the config."""
        kinds = [step for kind in CHANGES if (step := kind()).possible(self)]
        step = self.pick(kinds)
        return f"{step.title()}: {step.do(self)}"

    def install(self, machine: Machine) -> None:
        """Reinstall a machine."""
        host = self.hosts[machine.name]
        host.mend()
        if machine.name in self.before:
            host.reset()
        prepare(host, self.chapters, self.folder.parent)
        if machine.name not in self.before:
            self.before[machine.name] = snapshot(host)
        machine.install()

    # Runs

    def up(self, *, refresh: bool = False, extra: Sequence[str] = ()) -> bool:
        """Run `up`, after a refresh if requested; tell whether it succeeded."""
        if refresh and not self.refresh():
            return False
        begun = time.monotonic()
        done = self._run("up", "--yes", "--skip-preview", *extra)
        if done.status == 0:
            self.usual = time.monotonic() - begun
        self.ended("up", done.output, done.status)
        return done.status == 0

    def destroy(self) -> bool:
        """Run `destroy`; tell whether it succeeded."""
        done = self._run("destroy", "--yes", "--skip-preview")
        self.ended("destroy", done.output, done.status)
        return done.status == 0

    def refresh(self) -> bool:
        """Run `refresh`; if the next preview shows nothing, everything must be as declared."""
        done = self._run("refresh", "--yes", "--skip-preview")
        self.ended("refresh", done.output, done.status)
        if done.status == 0 and self.random.random() < 0.5:
            self.preview()
        return done.status == 0

    def preview(self) -> None:
        """Preview after a refresh, which finds drift."""
        shown = self._run("preview", "--diff", "--expect-no-changes")
        changed = shown.status != 0
        self.note(f"  preview: {'changes' if changed else 'no change'}")
        wanted = replace(self.world.wanted, admin=0)
        settled = self.world.states == [self.world.declared] and not self.marked and not self.world.down
        for machine in self.world.managed:
            should = {chapter: {wanted if wanted.declares(chapter) else BARE} for chapter in CHAPTERS}
            settled = settled and machine.clean and all(machine.may[name] == may for name, may in should.items())
        if changed and settled:
            self.find("a change where there is none", shown.output)
        if not changed and self.world.states == [self.world.declared]:
            self.look("a preview without changes after a refresh")

    def ended(self, command: str, output: str, status: int) -> None:
        """Record how a run ended, and look at the hosts."""
        world = self.world
        excuse = world.excused()
        if status != 0 and BY_HAND in output:  # what only the user can fix is named, and the user fixes it
            excuse = f"names {BY_HAND}"
            for host in self.hosts.values():
                host.exec(["rm", "-f", BY_HAND])
        (self.folder / f"{self.count:02}-{len(self.figures.steps):02}-{command}.log").write_text(output)
        self.note(f"  {command}: {'success' if status == 0 else f'failed ({excuse})'}")
        if "Traceback" in output or "fault in Stockade" in output:
            self.find("a fault", output)
        if status != 0:
            self.figures.failures[command] += 1
            if not excuse:
                self.find(f"{command} failed without a reason", output)
            if command != "refresh":
                world.broke_off(destroying=command == "destroy")
            self.look("a failure", hidden=True, patience=45)
            return
        self.figures.successes[command] += 1
        if command == "refresh":
            world.refreshed()
            return
        used = [machine for machine in world.machines.values() if not machine.bare]
        (world.applied if command == "up" else world.destroyed)()
        self.marked = self.marked and command != "up"
        self.look(command, output=output)
        for machine in used:
            self._released(machine, output)
        if command == "up" and self.random.random() < 0.2 and not world.down:
            self.preview()

    def _released(self, machine: Machine, output: str) -> None:
        """Check that a released machine is as before; reinstall one for which that is unknown."""
        if machine.name in self.world.declared.values() and self.world.states != [{}]:
            return
        if any(machine.name in state.values() for state in self.world.states):
            return
        if machine.bare and machine.clean:
            now = snapshot(self.hosts[machine.name])
            now["ours"] = [line for line in now["ours"] if line != "guard.log"]  # the log of rollbacks stays
            left = difference(self.before[machine.name], now)
            if left:
                self.find(f"{machine.name} is not as it was before", json.dumps(left, indent=1) + output)
        elif machine.spoiled or machine.dirt or machine.bare:
            self.install(machine)

    def look(self, when: str, *, hidden: bool = False, patience: float = 1.5, output: str = "") -> None:
        """Look at the hosts from outside; a difference that lasts `patience` seconds is a finding."""
        keys = {number: self.key(number) for number in self.world.keys}
        end = time.monotonic() + patience
        hosts = [host for name, host in self.hosts.items() if name not in self.world.down]
        while True:
            begun = time.monotonic()
            seen = look(self.lab, hosts, keys)
            wrong = {
                name: missing
                for name, facts in seen.items()
                if (missing := self.world.missing(self.world.machines[name], facts, hidden=hidden))
            }
            hosts = [self.hosts[name] for name in wrong]
            if not wrong or begun > end:
                break
            time.sleep(1)
        self.figures.looks += 1
        self.figures.facts += sum(len(facts) for facts in seen.values())
        if wrong:
            self.find(f"not so after {when}", f"{wrong}\n{output}")
            for name in wrong:  # reported once
                self.world.machines[name].spoiled |= set(CHAPTERS)

    # What steps need

    def want(self, **changes: Any) -> str:
        """Change what is declared for all hosts."""
        self.world.wanted = replace(self.world.wanted, **changes)
        return ", ".join(f"{name}: {value}" for name, value in changes.items())

    def pick(self, among: Sequence[T]) -> T:
        """Choose one."""
        return self.random.choice(among)

    def key(self, number: int) -> Path:
        """The file of a key."""
        return self.folder / f"key{number}"

    def new_key(self) -> int:
        """Create a key; return its number."""
        self.world.newest += 1
        make_key(self.key(self.world.newest))
        return self.world.newest

    def configure(self) -> None:
        """Write the stack config."""
        wanted, hosts = self.world.wanted, {}
        for name, of in self.world.declared.items():
            host = self.hosts[of]
            admin = {"user": "deploy", "privateKeyFile": str(self.key(wanted.admin))}
            address = host.ipv6 if self.over_ipv6 else host.ipv4
            hosts[name] = entry(host, admin=admin, address=address, connectTimeout=10)
        settings: dict[str, Any] = {"hosts": hosts}
        users = [self._user("deploy", "nopasswd", wanted.deploy or ())]
        if wanted.guest is not None:
            users.append(self._user("guest", "none", (wanted.guest,)))
        settings["users"] = users
        if wanted.sshd is not None:
            settings["sshd"] = {"settings": {"VersionAddendum": wanted.sshd}}
        if wanted.firewall is not None:
            ports = sorted(wanted.firewall)
            services = [{"name": "pool", "ports": ports}] if ports else []
            settings["firewall"] = {"preset": "ssh", "services": services}
        if wanted.fail2ban is not None:
            ours = ["198.51.100.0/24", "2001:db8:57::/64"]  # the observer must not be banned
            settings["fail2ban"] = {"maxretry": wanted.fail2ban, "ignoreip": ours}
        if wanted.updates is not None:
            settings["updates"] = {"rebootTime": wanted.updates}
        self.stack.configure(**settings)

    def _user(self, name: str, sudo: str, keys: Sequence[int]) -> dict[str, Any]:
        files = [f"{self.key(number)}.pub" for number in keys]
        return {"name": name, "sudo": sudo, "keyFiles": files, "exclusiveKeys": True}

    def urns(self, name: str) -> list[str]:
        """The resources of a host in the state."""
        self.marked = True
        inputs: Callable[[Mapping[str, Any]], Any] = lambda item: item.get("inputs", {}).get("host")  # noqa: E731
        return [item["urn"] for item in self.stack.state() if "dynamic" in item["type"] and inputs(item) == name]

    def tool(self, *args: str) -> None:
        """Run a command on the state."""
        tool = ["pulumi", "--non-interactive"] if args[0] == "cancel" else [sys.executable, "-m", "local"]
        done = self.stack.ended([*tool, *args, "--stack", self.stack.name])
        assert done.status == 0, done.output

    def cancel(self) -> None:
        """Release the lock of a killed run: the CLI requires that, the embedded engine does not."""
        if self.engine == "pulumi":
            self.tool("cancel", "--yes")

    def save(self) -> None:
        """Keep the state as a backup."""
        exported = self.stack.run("export").output
        (self.folder / "backup.json").write_text(exported[exported.index("{") :])
        self.backup = dict(self.world.states[0])

    def restore(self) -> None:
        """Restore the backup."""
        assert self.backup is not None
        self.stack.run("import", "--file", str(self.folder / "backup.json"))
        self.world.restored(dict(self.backup))

    def _run(self, *args: str) -> Result:
        self.configure()
        return self.stack.run(*args, check=False)

    # Output

    def note(self, text: str) -> None:
        """Log what happens."""
        self.say(f"{self.count:3} {text}")

    def find(self, kind: str, detail: str) -> None:
        """Record a finding."""
        number = len(self.figures.findings) + 1
        place = self.folder / f"finding{number}.txt"
        asked = self.hosts.values() if "another run is changing" in detail else ()
        place.write_text(f"{kind}\n{detail}\n{self.world}\n{''.join(map(self._holder, asked))}")
        text = f"seed {self.seed}, {WORDS[self.engine]}, step {self.count}: {kind} ({place}): {detail[:300]}"
        self.figures.findings.append(text)
        self.note(f"FINDING: {text}")

    def _holder(self, host: LabHost) -> str:
        """The run that holds a host, and its processes."""
        asked = "cat /run/stockade/holder; ps -eo pid,ppid,etime,args; ss -tnei"
        return f"{host.name}:\n{host.exec(asked, check=False).stdout}\n"


def engines() -> list[str]:
    """The available engines."""
    from shutil import which

    chosen = os.environ.get("STOCKADE_ENGINE")
    there = ["embedded", *(["pulumi"] if which("pulumi") else [])]
    return [chosen] if chosen in there else there

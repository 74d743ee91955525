"""The kinds of steps in a stack's life, a small class for each. A step changes the world and says what follows."""

import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from tests.life.world import CHAPTERS, POOL, Dirt, Machine

if TYPE_CHECKING:
    from tests.life.life import Life

NAMES = ("alpha", "beta", "gamma", "delta")
RELOAD = "systemctl reload ssh"
SSHD = "/etc/ssh/sshd_config.d/00-stockade.conf"
BY_HAND = "/etc/sudoers.d/zz-by-hand"
"""A sudo rule that Stockade reports, but leaves to its owner."""
UPDATES = "/etc/apt/apt.conf.d/99stockade-updates"
BOTH = "for t in iptables ip6tables; do $t -w {}; done"


def _kept(file: str, change: str, after: str = ":") -> tuple[str, str]:
    copy = f"/root/kept{file.replace('/', '-')}"
    return f"cp -p {file} {copy}; {change}; {after}", f"cp -p {copy} {file}; {after}"


HANDS: dict[str, dict[str, tuple[str, str]]] = {
    "firewall": {
        "a port opened": (
            BOTH.format("-I INPUT -p tcp --dport 3306 -j ACCEPT"),
            BOTH.format("-D INPUT -p tcp --dport 3306 -j ACCEPT"),
        ),
        "rules flushed": (
            "for t in iptables ip6tables; do $t-save >/root/$t; $t -w -F INPUT; done",
            "for t in iptables ip6tables; do $t-restore </root/$t; done",
        ),
        "its unit disabled": ("systemctl disable netfilter-persistent", "systemctl enable netfilter-persistent"),
        "its file changed": _kept("/etc/iptables/rules.v4", "echo '# by hand' >>/etc/iptables/rules.v4"),
    },
    "sshd": {
        "a setting changed": _kept(SSHD, f"sed -i 's/VersionAddendum .*/VersionAddendum hand/' {SSHD}", RELOAD),
        "its file removed": _kept(SSHD, f"rm {SSHD}", RELOAD),
    },
    "deploy": {
        "a key added": _kept(
            "/home/deploy/.ssh/authorized_keys",
            "cat /home/guest/.ssh/authorized_keys >>/home/deploy/.ssh/authorized_keys",
        ),
    },
    "guest": {
        "keys moved away": (
            "mv /home/guest/.ssh/authorized_keys /root/",
            "mv /root/authorized_keys /home/guest/.ssh/",
        ),
        "given sudo": (
            f"echo 'guest ALL=(ALL) NOPASSWD: ALL' >{BY_HAND}; chmod 440 {BY_HAND}",
            f"rm -f {BY_HAND}",
        ),
        "locked": ("usermod -s /usr/sbin/nologin guest", "usermod -s /bin/bash guest"),
    },
    "fail2ban": {
        "stopped": ("systemctl stop fail2ban", "systemctl start fail2ban"),
        "a number changed": ("fail2ban-client set sshd maxretry 99", "fail2ban-client set sshd maxretry {fail2ban}"),
    },
    "updates": {"a time changed": _kept(UPDATES, f"sed -i 's/Reboot-Time \"0/Reboot-Time \"1/' {UPDATES}")},
}


class Step(ABC):
    """One kind of step. `weight`: its relative frequency. `runs`: whether an `up` may follow."""

    weight: ClassVar[int] = 2
    runs: ClassVar[bool] = True
    command_line_only: ClassVar[bool] = False

    @classmethod
    def title(cls) -> str:
        """The name of the step."""
        return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in cls.__name__).strip()

    def possible(self, life: "Life") -> bool:
        """Whether the step is possible now."""
        del life
        return True

    @abstractmethod
    def do(self, life: "Life") -> str:
        """Do it; return what was done."""


class NothingNew(Step):
    def do(self, life: "Life") -> str:
        return "run again"


class Rename(Step):
    weight = 4

    def do(self, life: "Life") -> str:
        old = life.pick(list(life.world.declared))
        new = life.pick([name for name in NAMES if name not in life.world.declared])
        life.world.declared = {new if name == old else name: of for name, of in life.world.declared.items()}
        return f"{old} is {new} now"


class Swap(Step):
    def possible(self, life: "Life") -> bool:
        return len(life.world.declared) > 1

    def do(self, life: "Life") -> str:
        one, other = life.random.sample(list(life.world.declared), 2)
        declared = life.world.declared
        life.world.declared = {**declared, one: declared[other], other: declared[one]}
        return f"{one} and {other} swapped"


class Move(Step):
    weight = 4

    def possible(self, life: "Life") -> bool:
        return bool(life.world.free)

    def do(self, life: "Life") -> str:
        name, machine = life.pick(list(life.world.declared)), life.pick(life.world.free)
        life.world.declared[name] = machine.name
        return f"{name} is {machine.name} now"


class AddHost(Step):
    def possible(self, life: "Life") -> bool:
        return bool(life.world.free)

    def do(self, life: "Life") -> str:
        name = life.pick([name for name in NAMES if name not in life.world.declared])
        life.world.declared[name] = life.pick(life.world.free).name
        return f"{name} is {life.world.declared[name]}"


class RemoveHost(Step):
    def possible(self, life: "Life") -> bool:
        return len(life.world.declared) > 1

    def do(self, life: "Life") -> str:
        name = life.pick(list(life.world.declared))
        return f"{name} was {life.world.declared.pop(name)}"


class OtherAddress(Step):
    weight = 1

    def do(self, life: "Life") -> str:
        life.over_ipv6 = not life.over_ipv6
        return f"hosts are reached over {'IPv6' if life.over_ipv6 else 'IPv4'}"


class ChangeRules(Step):
    weight = 3

    def possible(self, life: "Life") -> bool:
        return life.world.wanted.firewall is not None

    def do(self, life: "Life") -> str:
        ports = frozenset({life.pick(POOL)}) ^ (life.world.wanted.firewall or frozenset())
        return life.want(firewall=ports)


class ChangeSshd(Step):
    weight = 3

    def possible(self, life: "Life") -> bool:
        return life.world.wanted.sshd is not None

    def do(self, life: "Life") -> str:
        return life.want(sshd=f"word{life.count}")


class RotateGuest(Step):
    weight = 3

    def possible(self, life: "Life") -> bool:
        return life.world.wanted.guest is not None

    def do(self, life: "Life") -> str:
        return life.want(guest=life.new_key())


class RotateAdmin(Step):
    """First both keys, then the new one alone, with which later runs log in."""

    weight = 3

    def possible(self, life: "Life") -> bool:
        both = len(life.world.wanted.deploy or ()) == 2
        sure = all(machine.may["deploy"] == {replace(life.world.wanted, admin=0)} for machine in life.world.managed)
        reached = len(life.world.managed) == len(life.world.declared)
        return not both or (sure and reached and not any("deploy" in m.dirt for m in life.world.managed))

    def do(self, life: "Life") -> str:
        old = life.world.wanted.deploy or ()
        if len(old) == 1:
            return life.want(deploy=(*old, life.new_key()))
        for machine in life.world.free:  # a machine with the old key alone would be unreachable
            if not machine.bare:
                life.install(machine)
        life.backup = None
        return life.want(deploy=old[1:], admin=old[1])


class ToggleChapter(Step):
    weight = 4

    def do(self, life: "Life") -> str:
        values = {"firewall": frozenset({8080}), "sshd": f"word{life.count}", "fail2ban": 5, "updates": "04:30"}
        chapter = life.pick([name for name in CHAPTERS if name != "deploy" and name in life.chapters])
        if life.world.wanted.declares(chapter):
            return life.want(**{chapter: None})
        return life.want(**{chapter: life.new_key() if chapter == "guest" else values[chapter]})


class ChangeNumbers(Step):
    def possible(self, life: "Life") -> bool:
        return life.world.wanted.fail2ban is not None

    def do(self, life: "Life") -> str:
        return life.want(fail2ban=5 + life.count % 4)


class Reinstall(Step):
    weight = 3

    def do(self, life: "Life") -> str:
        machine = life.pick(list(life.world.machines.values()))
        used = not machine.bare or any(machine.name in state.values() for state in life.world.states)
        life.install(machine)
        if used:
            machine.dirt = {chapter: Dirt("installed anew") for chapter in CHAPTERS}
        return machine.name


class Hands(Step):
    """A change by hand."""

    weight = 8
    runs = False

    def _places(self, life: "Life") -> list[tuple[Machine, str]]:
        return [
            (machine, chapter)
            for machine in life.world.managed
            for chapter in HANDS
            if not {chapter, "deploy" if chapter == "guest" else chapter} & set(machine.dirt)
            and chapter not in machine.spoiled
            and machine.may[chapter] == {replace(life.world.wanted, admin=0)}
            and (chapter != "deploy" or life.world.wanted.guest is not None)
        ]

    def possible(self, life: "Life") -> bool:
        return bool(self._places(life))

    def do(self, life: "Life") -> str:
        machine, chapter = life.pick(self._places(life))
        kind, (change, undo) = life.pick(list(HANDS[chapter].items()))
        life.hosts[machine.name].exec(change)
        machine.dirt[chapter] = Dirt(kind, undo.format(fail2ban=life.world.wanted.fail2ban))
        return f"{machine.name}: {chapter}: {kind}"


class Undo(Step):
    """A change by hand is undone by hand, before a run did."""

    weight = 5
    runs = False

    def _places(self, life: "Life") -> list[tuple[Machine, str]]:
        machines = life.world.machines.values()
        return [(machine, chapter) for machine in machines for chapter, dirt in machine.dirt.items() if dirt.undo]

    def possible(self, life: "Life") -> bool:
        return bool(self._places(life))

    def do(self, life: "Life") -> str:
        machine, chapter = life.pick(self._places(life))
        life.hosts[machine.name].exec(machine.dirt[chapter].undo)
        return f"{machine.name}: {chapter}: no longer {machine.dirt.pop(chapter).kind}"


class Reboot(Step):
    weight = 4
    runs = False

    def do(self, life: "Life") -> str:
        machine, hard = life.pick(list(life.world.machines.values())), life.random.random() < 0.5
        for dirt in machine.dirt.values():
            dirt.undo = ""
        life.hosts[machine.name].reboot(hard=hard)
        life.look("a reboot", hidden=True, patience=10)
        return f"{machine.name}, {'hard' if hard else 'soft'}"


class HostDown(Step):
    weight = 3
    runs = False

    def do(self, life: "Life") -> str:
        name = life.pick(list(life.world.declared.values()))
        told = life.change_something()
        life.hosts[name].cut()
        life.world.down.add(name)
        try:
            life.up(refresh=life.random.random() < 0.3)
        finally:
            life.hosts[name].mend()
            life.world.down.discard(name)
        return f"{name}, while {told}"


class Kill(Step):
    """A run is killed at a random moment."""

    weight = 6
    runs = False

    def do(self, life: "Life") -> str:
        command = life.random.choice(["up", "up", "up", "destroy", "refresh"])
        told = life.change_something() if command == "up" else "nothing"
        life.configure()
        with life.stack.running(command) as run:
            end = time.monotonic() + life.random.uniform(0.1, 1) * life.usual
            while run.process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            done = run.process.poll()
            output = run.end()[1] if done is not None else ""
        if done is not None:
            life.ended(command, output, done)
        elif command != "refresh":
            life.world.broke_off(killed=True, destroying=command == "destroy")
        life.world.killed = life.world.killed or done is None
        life.cancel()
        life.look("a kill", hidden=True, patience=45)
        return f"{command}, while {told} ({'it had ended' if done is not None else 'killed'})"


class Replace(Step):
    """`up --replace` of all resources of a host."""

    runs = False

    def possible(self, life: "Life") -> bool:
        return bool(life.world.managed)

    def do(self, life: "Life") -> str:
        name = life.pick(list(life.world.declared))
        urns = life.urns(name)
        life.up(extra=[f"--replace={urn}" for urn in urns])
        return f"{name}: {len(urns)} resources"


class Taint(Step):
    def possible(self, life: "Life") -> bool:
        return bool(life.world.managed)

    def do(self, life: "Life") -> str:
        name = life.pick(list(life.world.declared))
        urns = life.urns(name)
        for urn in urns:
            life.tool("state", "taint", urn, "--yes")
        return f"{name}: {len(urns)} resources"


class Refresh(Step):
    weight = 4
    runs = False

    def do(self, life: "Life") -> str:
        life.refresh()
        return ""


class Backup(Step):
    runs = False

    def possible(self, life: "Life") -> bool:
        return len(life.world.states) == 1 and not life.world.killed

    def do(self, life: "Life") -> str:
        life.save()
        return ""


class Restore(Step):
    """Restore a backup of the state, followed by a refresh, as documented."""

    weight = 3

    def possible(self, life: "Life") -> bool:
        if life.backup is None:
            return False
        declared = life.world.declared
        return all(name in declared or of in declared.values() for name, of in life.backup.items())

    def do(self, life: "Life") -> str:
        life.restore()
        life.refresh()
        return ""


class Destroy(Step):
    runs = False

    def do(self, life: "Life") -> str:
        life.destroy()
        return ""


STEPS: tuple[type[Step], ...] = (
    *(NothingNew, Rename, Swap, Move, AddHost, RemoveHost, OtherAddress, ChangeRules, ChangeSshd, RotateGuest),
    *(RotateAdmin, ToggleChapter, ChangeNumbers, Reinstall, Hands, Undo, Reboot, HostDown, Kill, Replace, Taint),
    *(Refresh, Backup, Restore, Destroy),
)
CHANGES: tuple[type[Step], ...] = (Rename, Swap, Move, ChangeRules, ChangeSshd, RotateGuest, ToggleChapter)
"""What may be declared while a host is down or a run is killed."""

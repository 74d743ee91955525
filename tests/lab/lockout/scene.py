"""A host with something in force, a stack that is about to change it, and the state afterwards."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from local.lab.api import LabHost
from rules.language.render import canonical
from rules.values.family import Family
from tests.lab.conftest import entry
from tests.lab.stack import Stack

LIMIT = 6
"""Default limit of the guard for the changes here, in seconds."""
SETTLED = 60.0

PROGRAM = """\
import pulumi
from components.config.inventory import connection_props, connections
from components.firewall.ruleset.resource import Ruleset

config = pulumi.Config("stockade")
(way,) = connections(config.require_object("hosts"), None).values()
common = {"host": way.name, "connection": connection_props(way), "confirmWithin": config.require_int("within")}
for family, rules in config.require_object("rules").items():
    Ruleset(family, {**common, "family": family, "rules": rules, **(config.get_object("more") or {})})
"""


SSH = "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT"


def ruleset(*rules: str, ssh: str = SSH, output: str = "ACCEPT") -> str:
    """A default-deny ruleset that accepts SSH with the rule `ssh`, and the ICMP that IPv6 needs."""
    lines = ["-A INPUT -i lo -j ACCEPT", "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT"]
    head = ["*filter", ":INPUT DROP [0:0]", ":FORWARD DROP [0:0]", f":OUTPUT {output} [0:0]"]
    return "\n".join([*head, *lines, *([ssh] if ssh else []), *rules, "COMMIT", ""])


def with_port(port: int, family: Family = Family.IPV4, sources: str = "") -> str:
    """A ruleset that opens `port`, and accepts SSH only from `sources`."""
    icmp = ("-A INPUT -p ipv6-icmp -j ACCEPT",) if family is Family.IPV6 else ()
    ssh = SSH.replace("INPUT", f"INPUT -s {sources}") if sources else SSH
    return ruleset(*icmp, f"-A INPUT -p tcp -m tcp --dport {port} -j ACCEPT", ssh=ssh)


@dataclass
class Scene(ABC):
    """`host`, on which `before` is in force, and the `stack` that applied it and is about to apply `after`."""

    host: LabHost
    stack: Stack
    family: Family = Family.IPV4
    limit: int = LIMIT
    program: ClassVar[str]
    user: ClassVar[str] = "root"
    """The user who must be able to log in all the time."""
    made_by: ClassVar[str] = ":"
    """sh that prepares the host for the scene."""
    variant: ClassVar[str] = "debian"
    """The variant of the lab host."""

    @property
    @abstractmethod
    def before(self) -> Any:
        """What is in force when the scene begins."""

    @property
    @abstractmethod
    def after(self) -> Any:
        """A good change of it."""

    @abstractmethod
    def declare(self, wanted: Any, **more: object) -> None:
        """Write `wanted` into the stack config."""

    @abstractmethod
    def in_force(self) -> str:
        """What is in force on the host: `before`, `after`, or a description."""

    @abstractmethod
    def at_boot(self) -> str:
        """What would be in force after a reboot."""

    @abstractmethod
    def in_state(self) -> str:
        """What is in force according to the state file."""

    @property
    def address(self) -> str:
        """The address at which the host is watched."""
        return self.host.ipv6 if self.family is Family.IPV6 else self.host.ipv4

    @property
    def via(self) -> LabHost | None:
        """The jump host, if there is one."""
        return None

    @property
    def client(self) -> str:
        """The address from which runs reach the host."""
        network = self.address.rpartition(":" if self.family is Family.IPV6 else ".")
        return f"{network[0]}{network[1]}1"

    def end(self) -> None:  # noqa: B027  # most need nothing
        """Take down what the scene needed besides the host."""

    def begin(self) -> None:
        """Apply `before`."""
        self.declare(self.before)
        self.stack.up()
        assert self.in_force() == "before"

    def settled(self) -> None:
        """Wait until nothing is armed on the host; a `.new` that died before it was armed stays for a while."""
        script = (
            "for i in $(seq 300); do ls /var/lib/stockade/guard 2>&- | grep -qv '[.]new$' || exit 0; sleep 0.2; done;"
            "ls -R /var/lib/stockade; cat /var/lib/stockade/guard.log; exit 1"
        )
        self.host.exec(script, limit=SETTLED + 10)

    def record(self) -> str:
        """The host's record of changes that were rolled back."""
        return self.host.exec("cat /var/lib/stockade/guard.log 2>/dev/null || :").stdout

    def journal(self) -> str:
        """The same from the journal, since the last boot."""
        return self.host.exec("journalctl -q -b -t stockade -o cat --no-pager").stdout

    def _outputs(self, kind: str) -> dict[str, Any]:
        found = [item["outputs"] for item in self.stack.state() if item["type"].endswith(f":{kind}")]
        return found[0] if found else {}


class FirewallScene(Scene):
    """A default-deny ruleset, changed to another one."""

    program = PROGRAM
    made_by = "DEBIAN_FRONTEND=noninteractive apt-get install -qy iptables-persistent </dev/null"

    @property
    def before(self) -> str:
        """What is in force when the scene begins."""
        return with_port(80, self.family)

    @property
    def after(self) -> str:
        """A good change of it."""
        return with_port(443, self.family)

    def declare(self, rules: str, **more: object) -> None:
        """Write `rules` into the stack config."""
        addresses = [self.host.ipv6] if self.family is Family.IPV6 else []
        hosts = {self.host.name: entry(self.host, connectTimeout=5, perDialTimeout=2, addresses=addresses)}
        self.stack.configure(hosts=hosts, rules={self.family.value: rules}, within=self.limit, **more)

    def second(self) -> Stack:
        """Another stack for the same host, such as a colleague's, with another change."""
        other = Stack(self.stack.folder.parent / "second", program=PROGRAM)
        mine = FirewallScene(self.host, other, Family.IPV6, self.limit)
        mine.declare(mine.before)
        return other

    def in_force(self) -> str:
        """Which ruleset the host enforces: `before`, `after`, or its text."""
        saved = self.host.iptables_save(6 if self.family is Family.IPV6 else 4)
        lines = [re.sub(r" ?\[\d+:\d+\]", "", line) for line in saved.splitlines() if not line.startswith("#")]
        return self._named("\n".join([*lines, ""])) if lines else "no rules"

    def in_state(self) -> str:
        """Which ruleset is in force according to the state file."""
        found = self._outputs("Ruleset")
        return self._named(found["rules"]) if found else "no rules"

    def at_boot(self) -> str:
        """Which ruleset the next boot would load."""
        return self._named(self.host.exec(f"cat /etc/iptables/rules.v{self.family.value[-1]}").stdout)

    def _named(self, text: str) -> str:
        known = {canonical(self.before, self.family): "before", canonical(self.after, self.family): "after"}
        return known.get(canonical(text, self.family), text)

"""A scene in which the host accepts logins only from its jump host."""

from dataclasses import dataclass

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.lockout.scene import FirewallScene, with_port


@dataclass
class JumpScene(FirewallScene):
    """A default-deny ruleset on a host behind a jump host."""

    def __post_init__(self) -> None:
        self._lab = Lab()
        (self._jump,) = self._lab.up([f"hop-{self.host.name}"])

    @property
    def via(self) -> LabHost:
        """The jump host."""
        return self._jump

    @property
    def client(self) -> str:
        """The address from which runs reach the host."""
        return self._jump.ipv4

    @property
    def before(self) -> str:
        """The ruleset in force when the scene begins."""
        return with_port(80, sources=f"{self._jump.ipv4}/32")

    @property
    def after(self) -> str:
        """A good change to it."""
        return with_port(443, sources=f"{self._jump.ipv4}/32")

    def declare(self, rules: str, **more: object) -> None:
        """Write `rules` into the stack config."""
        jump = {
            "host": self._jump.ipv4,
            "user": "root",
            "hostKey": self._jump.host_key,
            "privateKeyFile": str(self._jump.key_file),
            "perDialTimeout": 2,
        }
        hosts = {self.host.name: entry(self.host, connectTimeout=5, perDialTimeout=2, proxy=jump)}
        self.stack.configure(hosts=hosts, rules={self.family.value: rules}, within=self.limit, **more)

    def end(self) -> None:
        """Take the jump host down."""
        self._lab.down([self._jump.name])

"""`Listeners`: what listens on a host, compared with the services that the stack expects.

Source: the guide, "Remove Unused Network-Facing Services": `sudo netstat -tulpn`, and after the purge "You should now
only see listening services for SSH (sshd) and NTP".
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import pulumi
from pulumi import Output, ResourceOptions
from pydantic import Field, field_validator

from components.config.inventory import Settings
from components.core.chapter import Chapter, ChapterInputs, KnownState, Model
from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.failure import Failure
from hosts.packages.manager import PACKAGES
from hosts.shell import Answer, Script
from hosts.system.distro import DISTRO
from hosts.system.listeners import LISTENERS, Listener, listeners

_EXPECTED = (
    *("sshd/tcp", "ssh/tcp"),
    *("ntpd:123/udp", "ntpsec:123/udp", "chronyd/udp", "systemd-timesyn/udp"),
    # DHCP clients: without them the host would lose its address
    *("dhclient:68/udp", "dhclient:546/udp", "dhcpcd:68/udp", "dhcpcd:546/udp"),
    *("systemd-network:68/udp", "systemd-network:546/udp"),
)
EXPECTED = tuple(sorted(_EXPECTED))
"""sshd, time synchronisation and what keeps the host's address."""

ON_LOOPBACK = ("systemd-resolve:53/tcp", "systemd-resolve:53/udp")
"""Expected on the loopback alone, where that is judged: the host's own resolver."""

_NAME_LENGTH = 15
"""Of a process as the kernel names it, which is what an entry may have been written by."""
_SHAPE = re.compile(
    r"(?P<who>(?!/(?:tcp|udp)\Z)/[A-Za-z0-9/_.+@-]+?|[A-Za-z0-9_.+@-]*)"
    r"(?::(?P<port>[0-9]{1,5}))?(?:/(?P<protocol>tcp|udp))?"
)
_MANAGER = DISTRO + "known_distro\n" + PACKAGES
_NET_TOOLS = "if ! command -v ss >/dev/null && ! command -v netstat >/dev/null; then pkg_install net-tools; fi\n"


class ListenerSettings(Settings):
    """What the stack config says under `stockade:listeners`."""

    expected: tuple[str, ...] = Field(
        (), description="Expected besides sshd and time sync: `[program or package][:port][/tcp or /udp]`, as `nginx`."
    )
    unexpected: Literal["warn", "fail"] = Field("warn", description="What a run does about any other: warn, or fail.")
    loopback: bool = Field(False, description="Judge also what only the host itself can reach. It is shown anyhow.")

    @field_validator("expected")
    @classmethod
    def _shapes(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return checked(entries)

    def props(self, *more: str) -> dict[str, Any]:
        """The properties of a `Listeners` resource; `more`: what other chapters expect."""
        wanted = sorted({*EXPECTED, *self.expected, *more})
        return {"expected": wanted, "unexpected": self.unexpected, "loopback": self.loopback}


class ListenerInputs(ChapterInputs):
    """`expected`: who may be reached over the network, each as `[program or package][:port][/tcp or /udp]`.

    `unexpected`: what a run does about others: `warn` or `fail`. `loopback`: whether what only the host itself can
    reach counts, too. `triggers`: texts whose change makes it look again, as what was removed. `unexpected_listeners`:
    nothing, when all is well; `refresh` shows here who came since the last run.
    """

    expected: tuple[str, ...] = EXPECTED
    unexpected: Literal["warn", "fail"] = "warn"
    loopback: bool = False
    triggers: tuple[str, ...] | None = ()
    unexpected_listeners: tuple[str, ...] = ()

    @field_validator("expected")
    @classmethod
    def _shapes(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return checked(entries)


class ListenerFacts(Model):
    """Each as `tcp 0.0.0.0:22 sshd (package openssh-server)`.

    `listening`: all that can be reached over the network. `loopback`: what only the host itself can reach.
    `unexpected`: those among them that are judged and that nobody expects. `tool`: whether there was ss or netstat.
    """

    listening: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    loopback: tuple[str, ...] = ()
    tool: bool = True


class ListenerChapter(Chapter[ListenerInputs, ListenerFacts]):
    """Looks; changes nothing but for net-tools on a host that has neither ss nor netstat."""

    inputs = ListenerInputs
    facts = ListenerFacts
    changes = False

    def title(self, inputs: ListenerInputs) -> str:
        return "listeners"

    def observe(self, inputs: ListenerInputs) -> Script:
        return Script(step="list what listens", body=_LOOK)

    def parse(self, inputs: ListenerInputs, answer: Answer) -> ListenerFacts:
        if "tool" in answer.sections:
            return ListenerFacts(tool=False)
        found = listeners(answer.sections)
        facing = [one for one in found if not one.loopback]
        return ListenerFacts(
            listening=_said(facing),
            unexpected=_said([one for one in found if _judged(one, inputs)]),
            loopback=_said([one for one in found if one.loopback]),
        )

    def apply(self, inputs: ListenerInputs, known: KnownState[ListenerInputs, ListenerFacts]) -> Script:
        return Script(step="look for ss or netstat", body=_MANAGER + _NET_TOOLS, timeout=900)

    def restore(self, inputs: ListenerInputs, known: KnownState[ListenerInputs, ListenerFacts]) -> Script:
        ours = known.prior is not None and not known.prior.tool
        return Script(
            step="remove net-tools", body=_MANAGER + ("pkg_purge net-tools\n" if ours else ":\n"), timeout=900
        )

    def differences(self, inputs: ListenerInputs, seen: ListenerFacts) -> str:
        """Raise `Failure` where unexpected ones shall fail the run."""
        if seen.unexpected and inputs.unexpected == "fail":
            raise Failure(f"{inputs.host}: {self.title(inputs)}: {complaint(seen.unexpected)}")
        return "" if seen.tool else "neither ss nor netstat"

    def as_observed(
        self, inputs: ListenerInputs, known: KnownState[ListenerInputs, ListenerFacts], seen: ListenerFacts
    ) -> ListenerInputs:
        """Who is not expected and was not there when a run looked last."""
        before = set(known.recorded.unexpected) if known.recorded else set()
        new = tuple(one for one in seen.unexpected if one not in before)
        return inputs.model_copy(update={"unexpected_listeners": new})


class ListenerProvider(HostProvider[ListenerInputs, ListenerFacts]):
    """Pulumi's CRUD for `Listeners`."""

    chapter = ListenerChapter()


class Listeners(HostResource, module="stockade", name="Listeners"):
    """What listens on one host, and what of it is not expected.

    Properties: `host` (str), `connection`, `expected` (list of str), `unexpected` (`warn` or `fail`), `loopback`
    (bool), `triggers` (list of str). It must look after packages were removed: `depends_on` them.

    Outputs: `observed`: `listening`, `unexpected`, `loopback`, each a list of texts.
    """

    observed: Output[dict[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(ListenerProvider(), name, {"observed": None, **props}, opts)
        self.observed.apply(self._warn)

    def _warn(self, observed: Mapping[str, Any] | None) -> None:
        unexpected = (observed or {}).get("unexpected")
        if unexpected:
            pulumi.log.warn(complaint(unexpected), self)


def checked(entries: tuple[str, ...]) -> tuple[str, ...]:
    """The same, sorted. Raises `ValueError` for an entry that isn't `[program or package][:port][/protocol]`."""
    for entry in entries:
        shape = _SHAPE.fullmatch(entry)
        if not shape or not (shape["who"] or shape["port"]) or int(shape["port"] or 1) not in range(1, 65536):
            raise ValueError(
                f"{entry!r} is not [program or package][:port][/tcp or /udp], as nginx, nginx:443/tcp, :80"
            )
    return tuple(sorted(set(entries)))


def expected(one: Listener, entries: tuple[str, ...]) -> bool:
    """Whether an entry stands for this listener. What systems have by default stands for no program that a person runs:
    an sshd with a configuration of one's own, a forwarded port."""
    for entry in entries:
        if one.person and entry in (*EXPECTED, *ON_LOOPBACK):
            continue
        shape = _SHAPE.fullmatch(entry)
        if (
            shape
            and shape["who"] in {"", one.process, one.package, one.process[:_NAME_LENGTH]}
            and shape["port"] in {None, str(one.port)}
            and shape["protocol"] in {None, one.protocol}
        ):
            return True
    return False


def _judged(one: Listener, inputs: ListenerInputs) -> bool:
    """Whether it must be expected, and is not."""
    if one.loopback and not inputs.loopback:
        return False
    return not expected(one, (*inputs.expected, *ON_LOOPBACK) if one.loopback else inputs.expected)


def complaint(unexpected: tuple[str, ...] | list[str]) -> str:
    """Say what listens unexpectedly, and what can be done about it."""
    return (
        f"unexpected listeners: {', '.join(unexpected)}. Remove the package (packages that are absent), "
        f"or expect it: {', '.join(dict.fromkeys(_entry(one) for one in unexpected))}"
    )


def _said(found: list[Listener]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(one) for one in found))


def _entry(said: str) -> str:
    """The entry of `expected` that would allow a listener, from how it is written in facts."""
    protocol, place, who = said.split(" ")[:3]
    return f"{who}:{place.rpartition(':')[2]}/{protocol}"


_LOOK = (
    "if ! command -v ss >/dev/null && ! command -v netstat >/dev/null; then section tool echo none; exit 0; fi\n"
    + LISTENERS
)

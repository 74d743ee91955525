"""The firewall in the stack config: default-deny rulesets, always for both IPv4 and IPv6.

The rules come from the guide's preset, a list of services, text pasted from a file, and single iptables commands, in
this order. Source: the guide, "Configure a Firewall".
"""

from functools import cached_property, lru_cache
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from components.config.inventory import Problems, Settings
from components.config.names import shown
from components.firewall.controllers.others import checked
from components.firewall.kept.chapter import Program
from hosts.text.projectfiles import read_of_project
from hosts.text.textfiles import BadFile
from rules.analysis.isolation import connects_out
from rules.errors import RuleSyntaxError
from rules.language.parse import parse
from rules.language.render import canonical, render
from rules.language.sets import IpSet, lacking, made, used
from rules.presets import guide as presets
from rules.presets.service_rules import Service, service_rules
from rules.values.family import Family

BOOT_PACKAGES = ("iptables", "iptables-persistent")


class ServiceSettings(Settings):
    """One service that may be reached."""

    name: str = Field("", description="Name for people to read; becomes the rules' comment unless `comment` is set.")
    ports: tuple[int | str, ...] = Field((), description="Ports (`443`), ranges (`6000:6010`) or names (`https`).")
    protocol: Literal["tcp", "udp", "sctp", "icmp", "icmpv6", "esp", "ah", "gre"] = Field(
        "tcp", description="Protocol; for IPv6, `icmp` means ICMPv6."
    )
    types: tuple[int | str, ...] = Field(
        (), description="ICMP types by name (`time-exceeded`) or number (under `icmp`, IPv4's numbers). Default: all."
    )
    sources: tuple[str, ...] = Field((), description="Addresses or networks, IPv4 and IPv6 mixed. Default: anywhere.")
    comment: str | None = Field(None, max_length=255, description="Comment on the rules.")
    position: int | None = Field(None, ge=1, description="Rule number in INPUT. Default: after HTTP and HTTPS.")

    @field_validator("name", "comment")
    @classmethod
    def _one_line(cls, text: str | None) -> str | None:
        if text and not text.isprintable():
            raise ValueError(f"{shown(text)} has letters in it that cannot be seen")
        return text

    @model_validator(mode="after")
    def _makes_rules(self) -> Self:
        for family in Family:
            service_rules(self.service(), family)
        return self

    def service(self) -> Service:
        """Return it in the rule language's own form."""
        return Service(
            name=self.name,
            ports=self.ports,
            types=self.types,
            protocol=self.protocol,
            sources=self.sources,
            comment=self.comment or self.name or None,
            position=self.position,
        )


# the hosts of a stack mostly have the same rules, and each host's are needed several times
@lru_cache(maxsize=256)
def _web(family: Family, **settings: Any) -> str:
    return render(presets.web(family, **settings))


_canonical = lru_cache(maxsize=256)(canonical)


class FamilyText(Settings):
    """Rules as text, in the file format of iptables-restore(8) or as iptables commands."""

    rules: str | None = Field(None, description="The whole ruleset, instead of the preset.")
    file: str | None = Field(None, description="File with the whole ruleset; relative to the project folder.")
    commands: tuple[str, ...] = Field(
        (), description="iptables commands applied on top, such as `-I INPUT 9 -p tcp --dport 8080 -j ACCEPT`."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.rules is not None and self.file is not None:
            raise ValueError("give the rules as text (`rules`) or as a file (`file`), not both")
        return self

    def text(self) -> str | None:
        """Return the rules as written, read from the file if one is named."""
        if self.file is None:
            return self.rules
        return read_of_project(self.file)


class SetSettings(Settings):
    """One set of addresses that rules match: `-m set --match-set NAME src`."""

    type: str = Field("hash:net", description="Type of the set, as in ipset(8).")
    family: Literal["", "inet", "inet6"] = Field("", description="Address family. Default: that of the entries.")
    entries: tuple[int | str, ...] | None = Field(
        None, description="All entries of the set. Default: other programs manage them."
    )
    options: dict[str, int | bool | str] = Field(
        {}, description="Options of `ipset create`, such as `maxelem: 100000`."
    )

    def ip_set(self, name: str) -> IpSet:
        """Return it in the rule language's own form. Raises ValueError."""
        entries = None if self.entries is None else map(str, self.entries)
        options = {word: str(value) for word, value in self.options.items() if value is not False}
        return made(name, self.type, self.family, options, entries)


class FirewallSettings(Settings):
    """Settings under `stockade:firewall`."""

    preset: Literal["web", "ssh"] = Field(
        "web", description="The guide's ruleset: `web`, or `ssh` without HTTP and HTTPS."
    )
    ssh_port: int = Field(22, ge=1, le=65535, description="Port on which sshd listens; the preset opens it.")
    ssh_sources: tuple[str, ...] = Field(
        (), description="Addresses and networks that may connect to SSH. Default: anywhere."
    )
    services: tuple[ServiceSettings, ...] = Field(
        (), description="Other services that may be reached; their rules come after those for HTTP and HTTPS."
    )
    longview: bool = Field(False, description="Let in Linode's monitoring (longview.linode.com).")
    nodebalancer: bool = Field(False, description="Let in Linode's load balancers (192.168.255.0/24).")
    icmp: Literal["printed", "listed"] = Field(
        "printed",
        description="What IPv4 accepts: `printed`, echo requests as in the guide's ruleset; `listed`, the three types "
        "in the guide's `iptables -vL` output.",
    )
    log: bool = Field(True, description="Log denied packets.")
    log_rate: str = Field(
        "5/min",
        pattern=r"^[1-9][0-9]*/(s|sec|second|m|min|minute|h|hour|d|day)$",
        description="Limit on logged packets: a number per `s`, `min`, `h` or `d`.",
    )
    ipv4: FamilyText = Field(FamilyText(), description="IPv4 rules as text.")
    ipv6: FamilyText = Field(FamilyText(), description="IPv6 rules as text.")
    sets: dict[str, SetSettings] = Field({}, description="Sets that rules match (ipset(8)), by name.")
    ipv6_mode: Literal["filter", "reject"] = Field("filter", description="`reject`: no IPv6 except on the loopback.")
    keep: Program | None = Field(
        None,
        description="Program that manages the firewall; Stockade changes nothing and checks what is in force.",
    )
    persistent: bool = Field(True, description="Load the rules at boot.")
    preserve: tuple[str, ...] | None = Field(
        None,
        description="Interfaces whose FORWARD, nat and mangle rules other programs manage. "
        "Default: those of Docker, libvirt, Kubernetes and LXC.",
    )
    confirm_within: int = Field(
        30, ge=5, le=600, description="Seconds after which the host reverts a change that nobody confirmed."
    )
    accept_lockout: bool = Field(
        False, description="Try rules that would let nobody log in; they are reverted unless somebody does."
    )
    take_over: bool = Field(
        False,
        description="Stop other firewalls: ufw, firewalld, nftables.service, other tables; delete restores them.",
    )
    beside: tuple[str, ...] = Field(
        (),
        description="nftables tables (`inet blocklist`, or a pattern) and `iptables-legacy` that stay in force "
        "beside the rules.",
    )

    @field_validator("beside")
    @classmethod
    def _nameable(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        return checked(patterns)

    @model_validator(mode="after")
    def _one_owner(self) -> Self:
        if self.keep and self.take_over:
            raise ValueError(f"{self.keep} is either kept (`keep`) or taken over (`takeOver`)")
        return self

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        problems = {}
        for family in Family:
            try:
                self.ruleset(family)
            except BadFile as error:
                problems[f"{family}.file"] = str(error)
            except ValueError as error:
                problems[str(family)] = str(error)
        problems |= self._lacking() if not problems else {}
        if problems:
            raise Problems(problems)
        return self

    def _lacking(self) -> dict[str, str]:
        """Return what is wrong with the sets, and what the rules need that does not survive a boot."""
        problems = {}
        for name, one in self.sets.items():
            try:
                one.ip_set(name)
            except ValueError as error:
                problems[f"sets.{shown(name)}"] = str(error).removeprefix(f"{name}: ")
        if problems or not self.persistent or self.keep:
            return problems
        for family in Family:
            need = lacking(parse(self.ruleset(family), family), self._ip_sets)
            if need:
                problems[str(family)] = need
        return problems

    @cached_property
    def _ip_sets(self) -> tuple[IpSet, ...]:
        return tuple(one.ip_set(name) for name, one in self.sets.items())

    def sets_of(self, family: Family) -> tuple[IpSet, ...]:
        """Return the sets of a family, including those without a declared family that its rules refer to."""
        names = used(parse(self.ruleset(family), family)) if self.sets else {}
        return tuple(one for one in self._ip_sets if one.fits(family) and (one.family or one.name in names))

    @property
    def packages(self) -> tuple[str, ...]:
        """Return the packages that load the rules and the sets."""
        return (*BOOT_PACKAGES, *(("ipset",) if self.sets else ()))

    def ruleset(self, family: Family) -> str:
        """Return the canonical text of all rules for `family`.

        Raises `RuleSyntaxError` for text that is not a ruleset, `BadFile` for a file that can't be read.
        """
        if family not in self._texts:
            self._texts[family] = self._compiled(family)
        return self._texts[family]

    @property
    def uses_ipv6(self) -> bool:
        """Whether the host can open any connection over IPv6. If not, it should not try IPv6 first (gai.conf(5))."""
        if self.keep:
            return True
        if self.ipv6 == FamilyText():  # the result is known for presets, and computing it takes a while
            return self.ipv6_mode != "reject"
        return connects_out(parse(self.ruleset(Family.IPV6), Family.IPV6))

    @cached_property
    def _texts(self) -> dict[Family, str]:
        return {}  # the hosts of a stack mostly share their settings

    def _compiled(self, family: Family) -> str:
        text = self.ipv4 if family is Family.IPV4 else self.ipv6
        base = text.text()
        if base is None:
            base = self._preset(family)
        try:
            return _canonical("\n".join((base, *text.commands)), family)
        except ValueError as error:
            if text.file is None or _of_commands(error, base):
                raise
            raise BadFile(_unquoted(text.file, error)) from None

    def _preset(self, family: Family) -> str:
        if family is Family.IPV6 and self.ipv6_mode == "reject":
            return render(presets.reject_all(family))
        return _web(
            family,
            http=self.preset == "web",
            ssh_port=self.ssh_port,
            ssh_sources=self.ssh_sources,
            extra=tuple(service.service() for service in self.services),
            longview=self.longview,
            nodebalancer=self.nodebalancer,
            log=self.log,
            log_rate=self.log_rate,
            icmp=self.icmp,
        )


def _of_commands(error: ValueError, base: str) -> bool:
    return isinstance(error, RuleSyntaxError) and error.line > base.count("\n") + 1


def _unquoted(file: str, error: ValueError) -> str:
    """Return where a file is not a valid ruleset, without quoting it: it may be any file of the project."""
    if not isinstance(error, RuleSyntaxError):
        return f"{file!r} is not a ruleset that can be loaded"
    needs = f"; expected {error.expected}" if error.expected else ""
    return f"{file}:{error.line}:{error.column}: not a rule that can be loaded{needs}"

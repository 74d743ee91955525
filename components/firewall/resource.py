"""`Firewall`: the rulesets of one host for IPv4 and IPv6, always both."""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import ComponentResource, Input, Output, ResourceOptions

from components.core.chapter import Existing
from components.core.waiting import Before, passed_on, waiting
from components.firewall.kept.resource import KeptFirewall
from components.firewall.ruleset.resource import Ruleset
from components.firewall.settings import FirewallSettings
from components.packages.resource import Packages
from rules.language.sets import write
from rules.values.family import Family


class Firewall(ComponentResource):
    """The IPv4 and the IPv6 ruleset of a host, and the package that loads them at boot.

    Args:
        name: name of the component; its children are `NAME-ipv4`, `NAME-ipv6` and, unless `packages` is given,
            `NAME-packages`.
        host: name of the host in the stack config.
        settings: the rules; the guide's web server preset by default.
        connection: how to reach the host, if the stack config does not list it (values may be Outputs).
        existing: `adopt` the existing rules (delete restores them), or `fail` if there are any.
        packages: a `Packages` resource that already includes the settings' `packages`.
        installs: whether these packages are installed, if `packages` is not given.
        ssh_ports: more ports on which sshd will listen, besides that of the settings.
        opts: resource options; `retain_on_delete` and `custom_timeouts` are passed on to the children.

    With `keep` it has one child, `NAME`, a `KeptFirewall`.

    Outputs: `ipv4`, `ipv6`: the rules in force, canonical text. `enforced`: a summary of them.
    """

    ipv4: Output[str]
    ipv6: Output[str]
    enforced: Output[dict[str, str]]

    def __init__(
        self,
        name: str,
        host: str,
        settings: FirewallSettings | None = None,
        *,
        connection: Input[Mapping[str, Any]] | None = None,
        existing: Existing = "adopt",
        packages: Packages | None = None,
        installs: bool = True,
        ssh_ports: Sequence[int] = (),
        opts: ResourceOptions | None = None,
    ) -> None:
        opts, before = waiting(opts)
        super().__init__("stockade:index:Firewall", name, {}, opts)
        settings = settings or FirewallSettings()
        own = passed_on(opts)
        common: dict[str, Any] = {"host": host, "connection": connection}
        if settings.keep:
            self._keep(name, {**common, "program": settings.keep}, [*before, *([packages] if packages else [])], own)
            return
        if packages is None and installs:
            child = ResourceOptions.merge(own, ResourceOptions(parent=self, depends_on=before))
            packages = Packages(f"{name}-packages", {**common, "present": settings.packages}, child)
        common |= {"existing": existing, "persistent": settings.persistent, "takeOver": settings.take_over}
        common |= {"confirmWithin": settings.confirm_within, "acceptLockout": settings.accept_lockout}
        common["sshPorts"] = sorted({settings.ssh_port, *ssh_ports})
        if packages is not None:
            before = [*before, packages]
            common["triggers"] = packages.triggers_for(*settings.packages)
        if settings.preserve is not None:
            common["preserve"] = settings.preserve
        if settings.beside:
            common["beside"] = settings.beside
        rulesets: dict[Family, Ruleset] = {}
        for family in Family:
            props = {**common, "family": family.value, "rules": settings.ruleset(family)}
            sets = settings.sets_of(family)
            if sets:
                props["sets"] = write(sets)
            # most of them manage both families: stopped by the first ruleset, started again after the last is gone
            after = settings.take_over or not all(one.family for one in sets)
            order = [*before, *(rulesets.values() if after else ())]
            child = ResourceOptions.merge(own, ResourceOptions(parent=self, depends_on=order))
            rulesets[family] = Ruleset(f"{name}-{family}", props, child)
        self.ipv4, self.ipv6 = rulesets[Family.IPV4].rules, rulesets[Family.IPV6].rules
        boot = "loaded at boot" if settings.persistent else "not loaded at boot"
        self.enforced = Output.all(ipv4=self.ipv4, ipv6=self.ipv6).apply(
            lambda text: {family: f"{_count(rules)} rules, {boot}" for family, rules in text.items()}
        )
        self.register_outputs({"enforced": self.enforced})

    def _keep(self, name: str, props: dict[str, Any], after: Before, own: ResourceOptions) -> None:
        child = ResourceOptions.merge(own, ResourceOptions(parent=self, depends_on=after))
        kept = KeptFirewall(name, props, child)
        self.ipv4 = kept.observed.apply(lambda seen: str((seen or {}).get("ipv4", "")))
        self.ipv6 = kept.observed.apply(lambda seen: str((seen or {}).get("ipv6", "")))
        self.enforced = Output.all(kept.program, kept.observed).apply(lambda known: _in_few_words(*known))
        self.register_outputs({"enforced": self.enforced})


def _in_few_words(program: str, seen: Mapping[str, Any] | None) -> dict[str, str]:
    """Summarize what can be reached through somebody else's rules."""
    found = {family: (seen or {}).get(f"exposure{str(family).capitalize()}") or () for family in Family}
    return {str(family): f"{program}'s: {', '.join(lines) or 'nothing gets in'}" for family, lines in found.items()}


def _count(rules: str) -> int:
    return sum(line.startswith("-A ") for line in rules.splitlines())
